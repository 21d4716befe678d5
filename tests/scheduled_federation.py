"""A federation with a scheduler, over a nats-server: users write templates and policies.

Health is played: every member is ready, and nobody reports how workloads do.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from services.health.service import Health
from services.health.settings import Settings as HealthSettings
from services.scheduler.service import Scheduler
from services.scheduler.settings import Settings
from shared.api.meta import API_VERSION, GROUP
from shared.apimachinery.manifest import Manifest, ObjectKey, copy
from shared.clock import SystemClock
from shared.controller.loop import LoopSettings
from shared.errors import StaleRevision
from shared.memberapi.http import open_member
from tests.federation import SEALING, Federation, TestMember, on_jetstream

SETTINGS = Settings(
    policy_delay=timedelta(milliseconds=10),
    follow_delay=timedelta(milliseconds=10),
    reference_delay=timedelta(milliseconds=300),
    signal_delay=timedelta(milliseconds=200),
    plugin_rest=timedelta(milliseconds=200),
    loop=LoopSettings(workers=4, fail_fast=True),
)
READY = [{"type": kind, "status": "True", "reason": "Seen"} for kind in ("Ready", "Joined")]


@asynccontextmanager
async def scheduled_federation(folder: Path, *names: str) -> AsyncIterator[Federation]:
    """Members *names*, and every service between a user's word and them."""
    async with AsyncExitStack() as stack:
        found = await stack.enter_async_context(on_jetstream(folder, names))
        for member in found.members.values():
            await become_ready(found, member)
        scheduler = Scheduler(found.store, found.bus, clock=SystemClock(), settings=SETTINGS)
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        running = [tasks.create_task(task()) for task in scheduler.tasks.values()]
        yield found
        for task in running:
            task.cancel()


async def become_ready(federation: Federation, member: TestMember) -> None:
    key = ObjectKey(GROUP, "clusters", "", member.name)
    stored = await federation.store.get(key)
    assert stored is not None
    await federation.write(key, {**stored.manifest, "status": {"conditions": READY}})


def replicas(federation: Federation) -> dict[str, int]:
    """How many of the Deployment `web` each member is asked to run that holds it."""
    return {
        name: found["spec"]["replicas"]
        for name, member in federation.members.items()
        if (found := member.get("deployments", "web", group="apps"))
    }


async def apply(federation: Federation, key: ObjectKey, manifest: Manifest) -> None:
    """Create or replace as the gateway does: every change has a generation of its own."""
    manifest = copy(manifest)
    metadata = manifest["metadata"]
    metadata |= {"name": key.name, "uid": f"uid-{key.resource}-{key.name}", "generation": 1}
    if key.namespace:
        metadata["namespace"] = key.namespace
    while True:
        stored = await federation.store.get(key)
        if stored is not None:
            metadata["generation"] = stored.manifest["metadata"]["generation"] + 1
            if "status" in stored.manifest:
                manifest["status"] = stored.manifest["status"]
        try:
            await federation.write(key, manifest)
        except StaleRevision:
            # Somebody wrote its status meanwhile.
            continue
        return


def a_policy(*selectors: dict[str, Any], clusters: tuple[str, ...] = (), **spec: Any) -> Manifest:
    """Of either scope; all clusters where none is named."""
    placement = spec.pop("placement", {})
    if clusters:
        placement = {**placement, "clusterAffinity": {"clusterNames": [*clusters]}}
    return {
        "apiVersion": API_VERSION,
        "kind": "PropagationPolicy",
        "metadata": {},
        "spec": {"resourceSelectors": [*selectors], "placement": placement, **spec},
    }


def policy_key(name: str, namespace: str = "shop") -> ObjectKey:
    resource = "propagationpolicies" if namespace else "clusterpropagationpolicies"
    return ObjectKey(GROUP, resource, namespace, name)


@asynccontextmanager
async def with_health(federation: Federation, **settings: Any) -> AsyncIterator[None]:
    """Within, health looks at the members and folds what they report, at once."""
    health = Health(
        federation.store,
        federation.bus,
        key=SEALING,
        connect=lambda name, credentials: open_member(credentials, name=name),
        clock=SystemClock(),
        settings=HealthSettings(
            fold_delay=timedelta(milliseconds=5),
            fold_interval=timedelta(milliseconds=10),
            **settings,
        ),
    )
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(run()) for run in health.tasks.values()]
        yield
        for task in running:
            task.cancel()
