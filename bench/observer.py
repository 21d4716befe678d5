"""Seeing when objects are in members: one watch per member, for Hanse and the floor alike."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import msgspec

from shared.apimachinery.manifest import GroupVersionKind, annotations_of, name_of, namespace_of
from shared.memberapi.port import MemberApi, ResourceType

DEPLOYMENTS = ResourceType(
    GroupVersionKind("apps", "v1", "Deployment"), "deployments", namespaced=True
)
NAMESPACES = ResourceType(GroupVersionKind("", "v1", "Namespace"), "namespaces", namespaced=False)


EDITION = "bench.example/edition"
"""The annotation that tells one state of an object from the next."""

Key = tuple[str, str]


class _Metadata(msgspec.Struct, rename="camel"):
    resource_version: str
    # A bookmark has none.
    name: str = ""
    namespace: str = ""
    annotations: dict[str, str] | None = None


class _Named(msgspec.Struct):
    """As much of an object as the observer needs: it is to cost both sides little."""

    metadata: _Metadata


_read = msgspec.json.Decoder(_Named).decode


class Observer:
    """The Deployments that each member holds, by namespace and name, with their edition."""

    def __init__(self) -> None:
        self._held: dict[str, dict[Key, str]] = {}
        # (namespace, edition) -> objects of all members: counting must not cost more than seeing.
        self._counts: Counter[tuple[str, str]] = Counter()
        self._changed = asyncio.Event()

    def count(self, namespace: str, edition: str | None = None) -> int:
        """Objects of *namespace* over all members, of one edition or of any."""
        return sum(
            count
            for (space, found), count in self._counts.items()
            if space == namespace and edition in (None, found)
        )

    def holders(self, namespace: str, name: str) -> int:
        """How many members hold that one."""
        return sum((namespace, name) in held for held in self._held.values())

    async def until_count(
        self, namespace: str, count: int, *, deadline: float, edition: str | None = None
    ) -> None:
        async with asyncio.timeout(deadline):
            while self.count(namespace, edition) != count:
                self._changed.clear()
                await self._changed.wait()

    async def until_held(self, namespace: str, name: str, members: int, *, deadline: float) -> None:
        async with asyncio.timeout(deadline):
            while self.holders(namespace, name) != members:
                self._changed.clear()
                await self._changed.wait()

    async def follow(self, member: str, api: MemberApi, ready: asyncio.Event) -> None:
        """Keep up with one member until cancelled."""
        self._held[member] = {}
        listing = await api.list(DEPLOYMENTS)
        for each in listing.items:
            edition = annotations_of(each).get(EDITION, "")
            self._put(member, (namespace_of(each), name_of(each)), edition)
        version = listing.resource_version
        ready.set()
        while True:
            async with api.watch(DEPLOYMENTS, resource_version=version) as events:
                async for event in events:
                    metadata = _read(event.body).metadata
                    version = metadata.resource_version
                    key = (metadata.namespace, metadata.name)
                    if event.type == "DELETED":
                        self._remove(member, key)
                    elif event.type != "BOOKMARK":
                        self._put(member, key, (metadata.annotations or {}).get(EDITION, ""))
                    self._changed.set()

    def _put(self, member: str, key: Key, edition: str) -> None:
        self._remove(member, key)
        self._held[member][key] = edition
        self._counts[key[0], edition] += 1

    def _remove(self, member: str, key: Key) -> None:
        before = self._held[member].pop(key, None)
        if before is not None:
            self._counts[key[0], before] -= 1


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
