"""A kind that a user declares: judged, divided and added up by what the user says of it."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hanse.__main__ import main
from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.apiserver.assembly import Extensions
from shared.apiserver.rules.admission import hanse_admission
from shared.clock import SystemClock
from tests.federation import (
    Federation,
    TestMember,
    config_map,
    config_map_key,
    eventually,
    on_jetstream,
)
from tests.gateway import serving_gateway
from tests.served_api import served_api

INTERPRETER = ObjectKey("hanse.dev", "resourceinterpreters", "", "widgets")
DEFINITION = ObjectKey(
    "apiextensions.k8s.io", "customresourcedefinitions", "", "widgets.acme.example"
)
WIDGET = ObjectKey("acme.example", "widgets", "shop", "w")
PATH = "/apis/hanse.dev/v1alpha1/resourceinterpreters"


def an_interpreter(**parts: Any) -> Manifest:
    return {
        "apiVersion": "hanse.dev/v1alpha1",
        "kind": "ResourceInterpreter",
        "metadata": {"name": "widgets"},
        "spec": {
            "target": {"apiVersion": "acme.example/v1", "kind": "Widget"},
            "customizations": parts,
        },
    }


def a_widget(size: int) -> Manifest:
    metadata = {"name": "w", "namespace": "shop", "uid": "uid-w", "generation": 1}
    spec = {"size": size, "clock": "hub"}
    return {"apiVersion": "acme.example/v1", "kind": "Widget", "metadata": metadata, "spec": spec}


def the_definition() -> Manifest:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
    }
    names = {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": DEFINITION.name, "uid": "uid-definition", "generation": 1},
        "spec": {
            "group": "acme.example",
            "scope": "Namespaced",
            "names": names,
            "versions": [version],
        },
    }


@pytest.fixture
async def federation(tmp_path: Path) -> AsyncIterator[Federation]:
    """Two members that know the kind, dispatch and apply over a real nats-server."""
    async with on_jetstream(tmp_path, ["eu-1", "us-1"]) as found:
        await found.write(DEFINITION, the_definition())
        await found.bind(DEFINITION, {"eu-1": None, "us-1": None})
        yield found


def held(member: TestMember) -> Manifest:
    return member.get("widgets", "w", group="acme.example")


async def says(federation: Federation, cluster: str, status: dict[str, Any]) -> None:
    """The member's controller writes the status."""
    store = federation.members[cluster].store
    stored = await store.get(WIDGET)
    assert stored is not None
    manifest = {**stored.manifest, "status": status}
    await store.update(WIDGET, manifest, expected=stored.revision)


async def health(federation: Federation, cluster: str) -> tuple[str, str, str]:
    report = await federation.report(cluster, WIDGET)
    return (report.health, report.reason, report.message) if report is not None else ("", "", "")


async def test_a_share_is_written_where_the_interpreter_says(federation: Federation) -> None:
    await federation.write(
        INTERPRETER,
        an_interpreter(
            replicaResource={"replicasPath": "spec.size"}, retention={"paths": ["spec.clock"]}
        ),
    )
    await federation.write(WIDGET, a_widget(9))
    await federation.bind(WIDGET, {"eu-1": 6, "us-1": 3})
    for cluster, share in (("eu-1", 6), ("us-1", 3)):
        member = federation.members[cluster]
        await eventually(lambda member=member: held(member))
        assert held(member)["spec"] == {"size": share}


async def test_a_new_interpreter_judges_what_is_there_anew(federation: Federation) -> None:
    await federation.write(WIDGET, a_widget(1))
    await federation.bind(WIDGET, {"eu-1": None})
    await eventually(lambda: held(federation.members["eu-1"]))
    await says(federation, "eu-1", {"phase": "Broken"})

    async def is_known_as(*expected: str) -> bool:
        return await health(federation, "eu-1") == expected

    await eventually(lambda: is_known_as("Healthy", "", ""))
    broken = {"degraded": "object.status.phase == 'Broken'"}
    await federation.write(INTERPRETER, an_interpreter(healthInterpretation=broken))
    await eventually(lambda: is_known_as("Degraded", "", ""))
    untold = {"healthy": "object.status.ready"}
    await federation.write(INTERPRETER, an_interpreter(healthInterpretation=untold))
    why = "interpreter widgets, healthInterpretation.healthy: no such key: ready"
    await eventually(lambda: is_known_as("Unknown", "InterpreterFailed", why))
    await says(federation, "eu-1", {"ready": True})
    await eventually(lambda: is_known_as("Healthy", "", ""))
    await says(federation, "eu-1", {"ready": False})
    await eventually(lambda: is_known_as("Progressing", "", ""))
    await federation.delete(INTERPRETER)
    await eventually(lambda: is_known_as("Healthy", "", ""))


async def test_the_gateway_refuses_what_does_not_compile() -> None:
    extensions = Extensions(admission=hanse_admission(SystemClock()))
    async with served_api(extensions=extensions) as served:
        bad = an_interpreter(healthInterpretation={"healthy": "object.status.("})
        answer = await served.client.post(PATH, bad)
        assert answer.code == 422
        fields = [one["field"] for one in answer.body["details"]["causes"]]
        assert fields == ["spec.customizations.healthInterpretation.healthy"]
        good = an_interpreter(healthInterpretation={"healthy": "object.status.ok"})
        assert (await served.client.post(PATH, good)).code == 201
        answer = await served.client.post(PATH, {**good, "spec": {"customizations": {}}})
        assert answer.code == 422


async def test_an_object_of_the_hub_is_tried_as_the_hub_has_it_judged(
    federation: Federation, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def judging(expression: str) -> Manifest:
        spoken = an_interpreter(healthInterpretation={"degraded": expression})
        spoken["spec"]["target"] = {"apiVersion": "v1", "kind": "ConfigMap"}
        return spoken

    await federation.write(INTERPRETER, judging("object.data.a == '1'"))
    await federation.write(config_map_key("c"), config_map("c"))
    tried = tmp_path / "tried.json"
    tried.write_text(json.dumps(judging("object.data.none == '1'")))
    async with serving_gateway(federation.store, federation.bus, tmp_path) as kubeconfig:

        async def test(*more: str) -> Any:
            options = ["interpreter", "test", "configmap/c", "-n", "shop", "--json", *more]
            options += ["--operation", "healthInterpretation", "--kubeconfig", str(kubeconfig)]
            capsys.readouterr()
            await asyncio.to_thread(main, options)
            said = capsys.readouterr()
            assert not said.err
            return json.loads(said.out)["objects"][0]["answers"]["healthInterpretation"]

        assert await test() == "Degraded"
        assert "no such key: none" in (await test("-f", str(tried)))["error"]
