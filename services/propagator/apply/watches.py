"""Watching, in one member, every kind that was ever applied there: list, watch, resume, list again.

Only what carries Hanse's label is watched. A watch that ends is resumed where it stopped. One whose
history is gone (410), or whose member could not be reached, is begun again with a list: a member
may come back from a backup, or from nothing, and count its versions anew. What a list does not
show is only doubted.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

import structlog

from services.propagator.core.marks import MANAGED_SELECTOR
from services.propagator.core.observed import LiveObject, read_live
from shared.clock import Clock
from shared.errors import MemberRefused, MemberThrottled, MemberUnreachable
from shared.memberapi.port import MemberApi, MemberListing, ResourceType

log = structlog.get_logger("hanse.propagator")

BACKOFF_FIRST = 0.1
BACKOFF_MAX = 30.0


class WatchSink(Protocol):
    """Told what is seen; must not block."""

    def on_listing(self, kind: ResourceType, listing: MemberListing) -> None: ...

    def on_event(self, kind: ResourceType, event: str, live: LiveObject) -> None:
        """*event* is ADDED, MODIFIED or DELETED."""
        ...


class KindWatches:
    """One watch per kind; runs within the worker's task group."""

    def __init__(
        self, cluster: str, api: MemberApi, sink: WatchSink, clock: Clock, group: asyncio.TaskGroup
    ) -> None:
        self._cluster = cluster
        self._api = api
        self._sink = sink
        self._clock = clock
        self._group = group
        self._tasks: dict[ResourceType, asyncio.Task[None]] = {}
        self._synced: set[ResourceType] = set()

    def ensure(self, kind: ResourceType) -> None:
        if kind not in self._tasks:
            name = f"watch-{self._cluster}-{kind.resource}"
            self._tasks[kind] = self._group.create_task(self._watch(kind), name=name)

    def is_synced(self, kind: ResourceType) -> bool:
        """Whether everything of the kind that existed at one moment has been handed out."""
        return kind in self._synced

    async def _watch(self, kind: ResourceType) -> None:
        version, failures = "", 0

        def moved(to: str) -> None:
            nonlocal version, failures
            version, failures = to, 0

        while True:
            try:
                if not version:
                    listing = await self._api.list(kind, label_selector=MANAGED_SELECTOR)
                    self._sink.on_listing(kind, listing)
                    self._synced.add(kind)
                    moved(listing.resource_version)
                await self._follow(kind, version, moved)
            except MemberRefused as err:
                failures += 1
                if err.status == 410:
                    version = ""
                elif failures == 1:
                    log.info(
                        "watch.refused",
                        cluster=self._cluster,
                        kind=kind.gvk.kind,
                        reason=err.reason,
                    )
            except MemberThrottled:
                failures += 1
            except MemberUnreachable:
                version = ""
                failures += 1
            if failures:
                await self._clock.sleep(min(BACKOFF_FIRST * 2 ** min(failures, 12), BACKOFF_MAX))

    async def _follow(self, kind: ResourceType, version: str, moved: Callable[[str], None]) -> None:
        watch = self._api.watch(kind, resource_version=version, label_selector=MANAGED_SELECTOR)
        async with watch as events:
            async for event in events:
                live = read_live(event.body)
                if event.type != "BOOKMARK":
                    self._sink.on_event(kind, event.type, live)
                moved(live.metadata.resource_version)
