"""A plugin that is a program of its own: the example, over a real nats-server."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from hanse.client import HanseClient
from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.bus.jetstream.bus import JetStreamBus
from shared.events.explaining import ClusterVerdict, ExplainRequest
from shared.events.planning import PlanRequest
from tests.federation import Federation, deployment, deployment_key, eventually
from tests.scheduled_federation import apply, scheduled_federation

EXAMPLE = Path(__file__).parents[2] / "examples" / "residency_plugin.py"
POLICY = ObjectKey("hanse.dev", "propagationpolicies", "shop", "p")
LABELS = {
    "eu-1": {"example.com/residency": "eu"},
    "eu-2": {"example.com/residency": "eu", "example.com/disk": "nvme"},
    "us-1": {"example.com/disk": "nvme"},
}


def a_policy(**plugin: Any) -> Manifest:
    return {
        "apiVersion": "hanse.dev/v1alpha1",
        "kind": "PropagationPolicy",
        "metadata": {},
        "spec": {
            "resourceSelectors": [{"apiVersion": "apps/v1", "kind": "Deployment"}],
            "placement": {
                "plugins": [{"name": "residency", "filter": True, "weight": 20, **plugin}],
                "spreadConstraints": [{"spreadByField": "cluster", "maxGroups": 1}],
            },
        },
    }


@pytest.fixture
async def federation(tmp_path: Path) -> AsyncIterator[Federation]:
    async with scheduled_federation(tmp_path, *LABELS) as found:
        for name, labels in LABELS.items():
            key = ObjectKey("hanse.dev", "clusters", "", name)
            stored = await found.store.get(key)
            assert stored is not None
            metadata = {**stored.manifest["metadata"], "labels": labels}
            await found.write(key, {**stored.manifest, "metadata": metadata})
        yield found


@asynccontextmanager
async def running_example(federation: Federation) -> AsyncIterator[None]:
    assert isinstance(federation.bus, JetStreamBus)
    settings = federation.bus._connection.settings
    arguments = [settings.url]
    if settings.credentials_file is not None:
        arguments.append(str(settings.credentials_file))
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(EXAMPLE), *arguments, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            assert await process.stdout.readline() == b"answering\n"
        yield
    finally:
        process.terminate()
        await process.wait()


async def placed(federation: Federation, name: str) -> list[str]:
    key = ObjectKey("hanse.dev", "resourcebindings", "shop", f"{name}-deployment")
    stored = await federation.store.get(key)
    targets = stored.manifest["spec"].get("clusters", []) if stored is not None else []
    return [one["name"] for one in targets]


async def verdicts(federation: Federation, name: str) -> dict[str, ClusterVerdict]:
    asked = ExplainRequest(
        api_version="apps/v1",
        kind="Deployment",
        resource="deployments",
        namespace="shop",
        name=name,
    )
    found = await HanseClient(federation.bus, "test").explain(asked)
    return {one.cluster: one for one in found.clusters}


def resident(name: str) -> Manifest:
    manifest = deployment(name, 2)
    manifest["metadata"]["labels"] = {"example.com/residency": "eu"}
    return manifest


async def test_a_plugin_rules_out_and_likes_better(federation: Federation) -> None:
    async with running_example(federation):
        await apply(federation, POLICY, a_policy(timeoutMilliseconds=5000))
        await apply(federation, deployment_key("ledger"), resident("ledger"))
        await eventually(lambda: placed(federation, "ledger"))
        assert await placed(federation, "ledger") == ["eu-2"]
        told = await verdicts(federation, "ledger")
        assert told["us-1"].code == "Plugin"
        assert told["us-1"].message == "plugin residency: its data stays in eu"
        (part,) = told["eu-2"].parts
        assert (part.name, part.points, part.weight) == ("residency", 100, 20)
        # A plan asks it too.
        plan = await HanseClient(federation.bus, "test").plan(PlanRequest(lose=("eu-2",)))
        (change,) = plan.changes
        assert [one.cluster for one in change.after] == ["eu-1"]


async def test_without_the_plugin_nothing_new_is_placed_until_it_is_there(
    federation: Federation,
) -> None:
    await apply(federation, POLICY, a_policy(timeoutMilliseconds=5000))
    await apply(federation, deployment_key("ledger"), resident("ledger"))

    async def closed() -> bool:
        key = ObjectKey("hanse.dev", "resourcebindings", "shop", "ledger-deployment")
        stored = await federation.store.get(key)
        if stored is None:
            return False
        (condition,) = stored.manifest["status"]["conditions"]
        return "plugin residency was not heard: nobody answers" in condition["message"]

    await eventually(closed)
    assert await placed(federation, "ledger") == []
    told = await verdicts(federation, "ledger")
    assert {one.code for one in told.values()} == {"PluginSilent"}
    async with running_example(federation):
        await eventually(lambda: placed(federation, "ledger"))


async def test_a_plugin_that_may_be_ignored_is(federation: Federation) -> None:
    await apply(federation, POLICY, a_policy(failurePolicy="Ignore"))
    await apply(federation, deployment_key("ledger"), resident("ledger"))
    await eventually(lambda: placed(federation, "ledger"))
    asked = ExplainRequest(
        api_version="apps/v1",
        kind="Deployment",
        resource="deployments",
        namespace="shop",
        name="ledger",
    )
    found = await HanseClient(federation.bus, "test").explain(asked)
    assert list(found.unheard) == ["residency"]
    assert {one.points for each in found.clusters for one in each.parts} == {50}
