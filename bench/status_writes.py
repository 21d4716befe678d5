"""How often the hub's status is written while many pods become ready.

Deployments of many replicas are started in one member, whose controllers report every few pods. The
floor is what the member's own API server writes for the same: each state of each Deployment there.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec

from bench import load
from bench.observer import DEPLOYMENTS
from hanse.local.federation import Federation
from shared.api.meta import API_VERSION
from shared.apimachinery.manifest import GroupVersionKind, Manifest
from shared.memberapi.port import MemberApi, ResourceType

DEPLOYMENT_COUNT = 10
REPLICAS = 100
_NAMESPACE = "bench-status"
_BINDINGS = GroupVersionKind.parse(API_VERSION, "ResourceBinding")
_QUIET_SECONDS = 3.0
_POLL_SECONDS = 0.1


class _Metadata(msgspec.Struct, rename="camel"):
    resource_version: str
    generation: int = 0
    name: str = ""
    namespace: str = ""


class _Status(msgspec.Struct, rename="camel"):
    ready_replicas: int = 0


class _Object(msgspec.Struct):
    metadata: _Metadata
    status: _Status = msgspec.field(default_factory=_Status)


_read = msgspec.json.Decoder(_Object).decode


@dataclass(slots=True)
class Writes:
    """Changes of objects of one kind that changed no spec."""

    count: int = 0
    ready: int = 0
    """Deployments that showed all their pods ready."""

    async def follow(self, api: MemberApi, kind: ResourceType, listed: asyncio.Event) -> None:
        """Count until cancelled."""
        version = (await api.list(kind)).resource_version
        generations: dict[str, int] = {}
        listed.set()
        while True:
            async with api.watch(kind, resource_version=version) as events:
                async for event in events:
                    found = _read(event.body)
                    metadata = found.metadata
                    version = metadata.resource_version
                    if event.type == "BOOKMARK" or metadata.namespace != _NAMESPACE:
                        continue
                    self.count += generations.get(metadata.name) == metadata.generation
                    generations[metadata.name] = metadata.generation
                    self.ready += found.status.ready_replicas == REPLICAS


async def status_writes(federation: Federation, deadline: float) -> dict[str, Any]:
    """Return the figures, per 1,000 pods that became ready; *deadline* in seconds."""
    member, api = next(iter(federation.members.items()))
    hub = federation.hub
    await hub.apply(load.namespace(_NAMESPACE))
    await hub.apply(load.local_policy(_NAMESPACE, member))
    bindings = await hub.kind(_BINDINGS)
    async with (
        _counted(hub.api, DEPLOYMENTS) as shown,
        _counted(hub.api, bindings) as bound,
        _counted(api, DEPLOYMENTS) as own,
    ):
        for number in range(DEPLOYMENT_COUNT):
            await hub.apply(_deployment(number))
        async with asyncio.timeout(deadline):
            while shown.ready < DEPLOYMENT_COUNT:
                await asyncio.sleep(_POLL_SECONDS)
        # What is gathered may still be on its way.
        await asyncio.sleep(_QUIET_SECONDS)
        per_thousand = 1000 / (DEPLOYMENT_COUNT * REPLICAS)
        return {
            "status_writes_per_1000_pods": round((shown.count + bound.count) * per_thousand, 1),
            "member_status_writes_per_1000_pods": round(own.count * per_thousand, 1),
        }


@asynccontextmanager
async def _counted(api: MemberApi, kind: ResourceType) -> AsyncIterator[Writes]:
    writes, listed = Writes(), asyncio.Event()
    task = asyncio.create_task(writes.follow(api, kind, listed))
    try:
        await listed.wait()
        yield writes
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _deployment(number: int) -> Manifest:
    manifest = load.deployment(number, namespace=_NAMESPACE)
    manifest["spec"]["replicas"] = REPLICAS
    return manifest
