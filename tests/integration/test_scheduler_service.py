"""The scheduler as it runs: over a real nats-server, woken by what others write."""

import asyncio
from datetime import timedelta

import pytest

from services.scheduler.service import Scheduler
from services.scheduler.settings import Settings
from shared.apimachinery.manifest import ObjectKey
from shared.bus.jetstream import connect, ensure_topology, open_bus
from shared.bus.topology import EVENTS, STREAMS
from shared.clock import SystemClock
from shared.controller.loop import LoopSettings
from shared.events.placement import decode_placement
from shared.store.jetstream import open_store

DEADLINE_SECONDS = 20
BINDING = ObjectKey("hanse.dev", "resourcebindings", "shop", "web-deployment")
POLICY = ObjectKey("hanse.dev", "propagationpolicies", "shop", "all")
TEMPLATE = ObjectKey("apps", "deployments", "shop", "web")
SETTINGS = Settings(
    policy_delay=timedelta(milliseconds=10), loop=LoopSettings(workers=2, fail_fast=True)
)


def a_cluster(name):
    conditions = [
        {"type": kind, "status": "True", "reason": "Seen"} for kind in ("Ready", "Joined")
    ]
    return {"metadata": {"name": name}, "spec": {}, "status": {"conditions": conditions}}


def a_policy():
    rules = {"replicaScheduling": {"replicaSchedulingType": "Divided"}}
    spec = {"resourceSelectors": [{"apiVersion": "*", "kind": "*"}], "placement": rules}
    metadata = {"name": "all", "namespace": "shop", "generation": 1}
    return {"kind": "PropagationPolicy", "metadata": metadata, "spec": spec}


def a_deployment(replicas, generation):
    metadata = {"name": "web", "namespace": "shop", "uid": "u", "generation": generation}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {"replicas": replicas},
    }


async def until(found):
    """Wait until *found* answers something, for a while; returns it."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not (answer := found()):
            await asyncio.sleep(0.01)
    return answer


@pytest.fixture
async def nats(nats_settings):
    async with connect(nats_settings, "test") as connection:
        await ensure_topology(connection, STREAMS)
        async with open_store(connection) as store:
            yield store, open_bus(connection, "scheduler")


async def test_a_template_is_decided_told_and_followed(nats):
    store, bus = nats
    for name in ("eu-1", "us-1"):
        await store.create(ObjectKey("hanse.dev", "clusters", "", name), a_cluster(name))
    await store.create(POLICY, a_policy())
    written = await store.create(TEMPLATE, a_deployment(4, 1))

    def shares() -> dict[str, int | None]:
        stored = store.mirror.get(BINDING)
        spec = stored.manifest["spec"] if stored is not None else {}
        return {one["name"]: one["replicas"] for one in spec.get("clusters", ())}

    scheduler = Scheduler(store, bus, clock=SystemClock(), settings=SETTINGS)
    running = [asyncio.create_task(task()) for task in scheduler.tasks.values()]
    try:
        await until(lambda: shares() == {"eu-1": 2, "us-1": 2})
        await store.update(TEMPLATE, a_deployment(6, 2), expected=written.revision)
        await until(lambda: shares() == {"eu-1": 3, "us-1": 3})
        await until(
            lambda: store.mirror.get(POLICY).manifest.get("status", {}).get("selected") == 1
        )
        last = await store.get(TEMPLATE)
        await store.delete(TEMPLATE, last.manifest, expected=last.revision)
        # It asks for nothing from now on, and dispatch lets it go.
        await until(lambda: shares() == {})
        async with (
            asyncio.timeout(DEADLINE_SECONDS),
            bus.follow(EVENTS, ["hanse.events.placement.decided.>"]) as facts,
        ):
            fact = decode_placement((await anext(facts)).body)
        assert (fact.name, fact.scheduled) == ("web", True)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
