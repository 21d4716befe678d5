"""What a workload needs, in members that are real kube-apiservers."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from shared.apimachinery.manifest import Manifest
from shared.memberapi.credentials import MemberCredentials
from tests.integration.real_members import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    EAST,
    NAMESPACE,
    SERVICES,
    WEST,
    Ground,
    kind,
    running,
    until,
)

pytestmark = [pytest.mark.kube_apiserver, pytest.mark.asyncio(loop_scope="module")]

SECRETS = kind("v1", "Secret", "secrets")
ACCOUNTS = kind("v1", "ServiceAccount", "serviceaccounts")
CLAIMS = kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ground(
    kube_apiservers: dict[str, MemberCredentials], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Ground]:
    async with running(tmp_path_factory.mktemp("federation"), kube_apiservers) as found:
        yield found


def an_object(api_version: str, kind: str, name: str, **sections: Any) -> Manifest:
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **sections}


def a_policy(*clusters: str) -> Manifest:
    selector = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    affinity = {"clusterNames": [*clusters]}
    spec = {"resourceSelectors": [selector], "placement": {"clusterAffinity": affinity}}
    return an_object("hanse.dev/v1alpha1", "PropagationPolicy", "web", spec=spec)


def web() -> Manifest:
    labels = {"app": "web"}
    pod = {
        "serviceAccountName": "runner",
        "containers": [
            {"name": "web", "image": "web:1", "envFrom": [{"configMapRef": {"name": "settings"}}]}
        ],
        "volumes": [{"name": "disk", "persistentVolumeClaim": {"claimName": "disk"}}],
    }
    template = {"metadata": {"labels": labels}, "spec": pod}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    return an_object("apps/v1", "Deployment", "web", spec=spec)


async def test_it_is_there_with_its_user_and_goes_with_it_but_for_data(ground: Ground) -> None:
    claim = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
    }
    lead = {"selector": {"app": "web"}, "ports": [{"port": 80}]}
    await ground.apply(
        a_policy(EAST),
        web(),
        an_object("v1", "ConfigMap", "settings", data={"colour": "red"}),
        an_object("v1", "ConfigMap", "stranger", data={"colour": "blue"}),
        an_object("v1", "Secret", "pull", stringData={"a": "b"}),
        an_object("v1", "ServiceAccount", "runner", imagePullSecrets=[{"name": "pull"}]),
        an_object("v1", "PersistentVolumeClaim", "disk", spec=claim),
        an_object("v1", "Service", "web", spec=lead),
    )
    needed = [
        (CONFIG_MAPS, "settings"),
        (SECRETS, "pull"),
        (ACCOUNTS, "runner"),
        (CLAIMS, "disk"),
        (SERVICES, "web"),
    ]
    for where, name in ((DEPLOYMENTS, "web"), *needed):
        await ground.until_live(EAST, where, name)
    for where, name in ((CONFIG_MAPS, "stranger"), (CONFIG_MAPS, "settings"), (CLAIMS, "disk")):
        assert not await ground.live(WEST, where, name)
    assert not await ground.live(EAST, CONFIG_MAPS, "stranger")

    await ground.delete(web())
    for where, name in needed:
        if where is not CLAIMS:
            await until(lambda where=where, name=name: gone(ground, EAST, where, name))
    live = await ground.live(EAST, CLAIMS, "disk")
    assert live
    assert "deletionTimestamp" not in live["metadata"]


async def gone(ground: Ground, member: str, where: Any, name: str) -> bool:
    return not await ground.live(member, where, name)
