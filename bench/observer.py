"""Seeing when objects are in members: one watch per member, for Hanse and the floor alike."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import msgspec

from shared.apimachinery.manifest import GroupVersionKind, name_of, namespace_of
from shared.memberapi.port import MemberApi, ResourceType

DEPLOYMENTS = ResourceType(
    GroupVersionKind("apps", "v1", "Deployment"), "deployments", namespaced=True
)
NAMESPACES = ResourceType(GroupVersionKind("", "v1", "Namespace"), "namespaces", namespaced=False)


class _Metadata(msgspec.Struct, rename="camel"):
    resource_version: str
    # A bookmark has none.
    name: str = ""
    namespace: str = ""


class _Named(msgspec.Struct):
    """As much of an object as the observer needs: it is to cost both sides little."""

    metadata: _Metadata


_read = msgspec.json.Decoder(_Named).decode


class Observer:
    """The Deployments that each member holds, by namespace and name."""

    def __init__(self) -> None:
        self._held: dict[str, set[tuple[str, str]]] = {}
        self._changed = asyncio.Event()

    def count(self, namespace: str) -> int:
        """Objects of *namespace* over all members."""
        return sum(space == namespace for held in self._held.values() for space, _ in held)

    def holders(self, namespace: str, name: str) -> int:
        """How many members hold that one."""
        return sum((namespace, name) in held for held in self._held.values())

    async def until_count(self, namespace: str, count: int, *, deadline: float) -> None:
        async with asyncio.timeout(deadline):
            while self.count(namespace) != count:
                self._changed.clear()
                await self._changed.wait()

    async def until_held(self, namespace: str, name: str, members: int, *, deadline: float) -> None:
        async with asyncio.timeout(deadline):
            while self.holders(namespace, name) != members:
                self._changed.clear()
                await self._changed.wait()

    async def follow(self, member: str, api: MemberApi, ready: asyncio.Event) -> None:
        """Keep up with one member until cancelled."""
        held = self._held.setdefault(member, set())
        listing = await api.list(DEPLOYMENTS)
        held.update((namespace_of(each), name_of(each)) for each in listing.items)
        version = listing.resource_version
        ready.set()
        while True:
            async with api.watch(DEPLOYMENTS, resource_version=version) as events:
                async for event in events:
                    metadata = _read(event.body).metadata
                    version = metadata.resource_version
                    key = (metadata.namespace, metadata.name)
                    if event.type == "DELETED":
                        held.discard(key)
                    elif event.type == "ADDED":
                        held.add(key)
                    self._changed.set()


@asynccontextmanager
async def observe(members: Mapping[str, MemberApi]) -> AsyncIterator[Observer]:
    """Watch all *members* until left."""
    observer = Observer()
    ready = {name: asyncio.Event() for name in members}
    tasks = [
        asyncio.create_task(observer.follow(name, api, ready[name]), name=f"observe-{name}")
        for name, api in members.items()
    ]
    try:
        await asyncio.gather(*(event.wait() for event in ready.values()))
        yield observer
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
