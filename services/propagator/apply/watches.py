"""Watching kinds of one member: list, watch, resume, list again.

Of every kind that was ever applied there, what carries Hanse's label is watched. A watch that ends
is resumed where it stopped. One whose history is gone (410), or whose member could not be reached,
is begun again with a list: a member may come back from a backup, or from nothing, and count its
versions anew. What a list does not show is only doubted.
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any, Generic, Protocol, TypeVar

import structlog

from services.propagator.core.marks import MANAGED_SELECTOR
from services.propagator.core.observed import LiveObject, SeenObject, read_live
from shared.errors import MemberRefused, MemberThrottled, MemberUnreachable
from shared.memberapi.port import MemberApi, MemberListing, ResourceType

log = structlog.get_logger("hanse.propagator")

BACKOFF_FIRST = 0.1
BACKOFF_MAX = 30.0

Live = TypeVar("Live", bound=SeenObject)
Live_contra = TypeVar("Live_contra", bound=SeenObject, contravariant=True)


class WatchSink(Protocol[Live_contra]):
    """Told what is seen; must not block."""

    def on_listing(self, kind: ResourceType, listing: MemberListing) -> None: ...

    def on_event(self, kind: ResourceType, event: str, live: Live_contra) -> None:
        """*event* is ADDED, MODIFIED or DELETED."""
        ...


class KindWatch(Generic[Live]):
    """One kind of one member, of which *selector* shows a part; `run` until cancelled.

    *namespace* "" is all of them. *read* is how much of each object is read.
    """

    def __init__(
        self,
        cluster: str,
        api: MemberApi,
        kind: ResourceType,
        sink: WatchSink[Live],
        *,
        selector: str,
        read: Callable[[bytes], Live],
        namespace: str = "",
    ) -> None:
        self._read = read
        self._namespace = namespace
        self._cluster = cluster
        self._api = api
        self._kind = kind
        self._sink = sink
        self._selector = selector
        self._version = ""
        self._failures = 0
        self._again = asyncio.Event()
        self.answered = asyncio.Event()
        """The first list was tried, whatever came of it."""
        self.synced = False
        """Everything that existed at one moment has been handed out."""
        self.absent = False
        """The member does not serve the kind."""

    async def run(self) -> None:
        while True:
            self._again.clear()
            try:
                if not self._version:
                    await self._list()
                await self._follow()
            except MemberRefused as err:
                self._refused(err)
            except MemberThrottled:
                self._failures += 1
            except MemberUnreachable:
                self._version = ""
                self._failures += 1
            self.answered.set()
            if self._failures:
                seconds = BACKOFF_FIRST * 2 ** min(self._failures, 12)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(min(seconds, BACKOFF_MAX)):
                        await self._again.wait()

    def look_soon(self) -> None:
        """Try again now, if it waits: the member answers others."""
        self._again.set()

    async def _list(self) -> None:
        listing = await self._api.list(
            self._kind, label_selector=self._selector, namespace=self._namespace
        )
        self._sink.on_listing(self._kind, listing)
        self.synced, self.absent = True, False
        self.answered.set()
        self._moved(listing.resource_version)

    async def _follow(self) -> None:
        watch = self._api.watch(
            self._kind,
            resource_version=self._version,
            label_selector=self._selector,
            namespace=self._namespace,
        )
        async with watch as events:
            async for event in events:
                live = self._read(event.body)
                if event.type != "BOOKMARK":
                    self._sink.on_event(self._kind, event.type, live)
                self._moved(live.metadata.resource_version)

    def _refused(self, err: MemberRefused) -> None:
        self._failures += 1
        if err.status == 410:
            self._version = ""
            return
        self.absent = err.status == 404
        if self._failures == 1 and not self.absent:
            log.info(
                "watch.refused",
                cluster=self._cluster,
                kind=self._kind.gvk.kind,
                reason=err.reason,
            )

    def _moved(self, to: str) -> None:
        self._version, self._failures = to, 0


def begin(
    group: asyncio.TaskGroup, watching: Coroutine[Any, Any, None], *, name: str
) -> asyncio.Task[None]:
    """Run *watching* in *group*; whoever asks while the group ends is ended with it."""
    try:
        return group.create_task(watching, name=name)
    except RuntimeError:
        watching.close()
        raise asyncio.CancelledError from None


class KindWatches:
    """One watch per kind; runs within the worker's task group."""

    def __init__(
        self, cluster: str, api: MemberApi, sink: WatchSink[LiveObject], group: asyncio.TaskGroup
    ) -> None:
        self._cluster = cluster
        self._api = api
        self._sink = sink
        self._group = group
        self._watches: dict[ResourceType, KindWatch[LiveObject]] = {}

    def ensure(self, kind: ResourceType) -> None:
        if kind not in self._watches:
            watch = KindWatch(
                self._cluster,
                self._api,
                kind,
                self._sink,
                selector=MANAGED_SELECTOR,
                read=read_live,
            )
            self._watches[kind] = watch
            begin(self._group, watch.run(), name=f"watch-{self._cluster}-{kind.resource}")

    def look_soon(self) -> None:
        """Begin again what waits for a member that was away."""
        for watch in self._watches.values():
            watch.look_soon()

    def is_synced(self, kind: ResourceType) -> bool:
        """Whether everything of the kind that existed at one moment has been handed out."""
        found = self._watches.get(kind)
        return found is not None and found.synced
