"""A worker's whole life of an object, in a member that is a real kube-apiserver."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgspec
import pytest

from shared.apimachinery.manifest import GroupVersionKind, Manifest, ObjectKey
from shared.events.drift import DriftCorrected
from shared.events.orders import MANAGED_LABEL
from shared.memberapi.credentials import MemberCredentials
from shared.memberapi.http import HttpMemberApi, open_member
from shared.memberapi.port import ResourceType
from tests.federation import (
    Federation,
    TestMember,
    config_map,
    config_map_key,
    deployment,
    deployment_key,
    eventually,
)
from tests.kube_apiserver import find_assets, run_kube_apiserver

pytestmark = pytest.mark.kube_apiserver

CONFIG_MAPS = ResourceType(GroupVersionKind("", "v1", "ConfigMap"), "configmaps", namespaced=True)
CLAIMS = ResourceType(
    GroupVersionKind("", "v1", "PersistentVolumeClaim"), "persistentvolumeclaims", namespaced=True
)
NAMESPACES = ResourceType(GroupVersionKind("", "v1", "Namespace"), "namespaces", namespaced=False)
DEPLOYMENTS = ResourceType(
    GroupVersionKind("apps", "v1", "Deployment"), "deployments", namespaced=True
)
WIDGETS = ResourceType(GroupVersionKind("x.example", "v1", "Widget"), "widgets", namespaced=True)
A = config_map_key("a")
WEB = deployment_key("web")


class RealMember(TestMember):
    """Not served by the test: it is there."""

    __test__ = False

    def __init__(self, name: str, credentials: MemberCredentials) -> None:
        super().__init__(name)
        self._credentials = credentials

    def credentials(self) -> MemberCredentials:
        return self._credentials


@pytest.fixture(scope="module")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MemberCredentials]:
    find_assets()
    with run_kube_apiserver(tmp_path_factory.mktemp("kube-apiserver")) as found:
        yield found


@pytest.fixture
async def api(credentials: MemberCredentials) -> AsyncIterator[HttpMemberApi]:
    async with open_member(credentials, name="somebody") as found:
        yield found


@pytest.fixture
async def federation(credentials: MemberCredentials) -> AsyncIterator[Federation]:
    found = Federation([])
    member = RealMember("real", credentials)
    found.members["real"] = member
    await found.register(member)
    async with found.dispatching(), found.applying():
        yield found


async def applied(federation: Federation, key: ObjectKey, generation: int = 1) -> None:
    async def holds() -> bool:
        report = await federation.report("real", key)
        return report is not None and report.applied and report.template_generation == generation

    await eventually(holds, 30)


async def test_objects_come_change_drift_and_go(federation: Federation, api: HttpMemberApi) -> None:
    async def live(kind: ResourceType, name: str) -> Manifest:
        return await api.get(kind, "shop", name) or {}

    await federation.write(WEB, deployment("web", 3))
    await federation.write(A, config_map("a"))
    bindings = [await federation.bind(WEB, {"real": 2}), await federation.bind(A, {"real": None})]
    await applied(federation, WEB)
    await applied(federation, A)
    assert (await live(DEPLOYMENTS, "web"))["spec"]["replicas"] == 2

    await federation.write(A, config_map("a", "2", generation=2))
    await federation.bind(A, {"real": None})
    await applied(federation, A, generation=2)
    assert (await live(CONFIG_MAPS, "a"))["data"] == {"a": "2"}

    await api.merge(DEPLOYMENTS, "shop", "web", {"spec": {"replicas": 9, "paused": True}})

    async def corrected() -> bool:
        return bool((await live(DEPLOYMENTS, "web"))["spec"]["replicas"] == 2)

    await eventually(corrected)
    facts = await eventually(lambda: federation.facts("drift", "corrected"))
    fact = msgspec.json.decode(facts[0], type=DriftCorrected)
    assert [one.path for one in fact.fields] == [".spec.replicas"]
    assert (await live(DEPLOYMENTS, "web"))["spec"]["paused"] is True

    await api.merge(CONFIG_MAPS, "shop", "a", {"metadata": {"labels": {MANAGED_LABEL: None}}})

    async def relabelled() -> bool:
        return bool((await live(CONFIG_MAPS, "a"))["metadata"].get("labels"))

    await eventually(relabelled)

    for binding in bindings:
        await federation.delete(binding)

    async def gone() -> bool:
        namespace: dict[str, Any] = await api.get(NAMESPACES, "", "shop") or {}
        return (
            not await live(CONFIG_MAPS, "a")
            and not await live(DEPLOYMENTS, "web")
            # Without a controller manager a real namespace stays Terminating.
            and (not namespace or bool(namespace["metadata"].get("deletionTimestamp")))
        )

    await eventually(gone, 30)


async def test_a_namespace_stays_with_what_others_have_in_it(
    federation: Federation, api: HttpMemberApi
) -> None:
    key = ObjectKey("", "configmaps", "inn", "a")
    ours = config_map("a")
    ours["metadata"]["namespace"] = "inn"
    await federation.write(key, ours)
    binding = await federation.bind(key, {"real": None})
    await applied(federation, key)
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data-db-0", "namespace": "inn"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }
    await api.create(CLAIMS, "inn", claim)
    await federation.delete(binding)

    async def forgotten() -> bool:
        return await federation.stored_works() == 0

    await eventually(forgotten, 30)
    assert await api.get(CONFIG_MAPS, "inn", "a") is None
    namespace = await api.get(NAMESPACES, "", "inn")
    assert namespace is not None
    assert "deletionTimestamp" not in namespace["metadata"]
    assert MANAGED_LABEL not in namespace["metadata"].get("labels", {})
    facts = await federation.facts("work", "removed")
    assert any(b"persistentvolumeclaims inn/data-db-0" in fact for fact in facts)


async def test_a_custom_kind_and_its_object_arrive_together(
    federation: Federation, api: HttpMemberApi
) -> None:
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.x.example", "uid": "d", "generation": 1},
        "spec": {
            "group": "x.example",
            "scope": "Namespaced",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "x-kubernetes-preserve-unknown-fields": True,
                        }
                    },
                }
            ],
        },
    }
    widget = {
        "apiVersion": "x.example/v1",
        "kind": "Widget",
        "metadata": {"name": "w", "namespace": "default", "uid": "w", "generation": 1},
        "spec": {"size": 3},
    }
    definition_key = ObjectKey(
        "apiextensions.k8s.io", "customresourcedefinitions", "", "widgets.x.example"
    )
    widget_key = ObjectKey("x.example", "widgets", "default", "w")
    await federation.write(widget_key, widget)
    await federation.bind(widget_key, {"real": None})
    await federation.write(definition_key, definition)
    await federation.bind(definition_key, {"real": None})
    await applied(federation, definition_key)
    await applied(federation, widget_key)
    found = await api.get(WIDGETS, "default", "w")
    assert found is not None
    assert found["spec"] == {"size": 3}
