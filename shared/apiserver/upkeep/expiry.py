"""`Event` objects: they are kept for an hour, as kube-apiserver keeps them (`--event-ttl`).

Each gateway goes by its own clock and by the time at which an Event was last written: one that is
written again lives an hour more. Which Events there are is known from the mirror, so that nothing
is listed; every replica looks, and whoever comes second finds nothing to delete.
"""

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from shared.apimachinery.manifest import GroupResource, Manifest, ObjectKey, name_of
from shared.apiserver.serving import Serving
from shared.errors import StaleRevision
from shared.store.port import Change, ChangeType, Scope

EVENTS = GroupResource("", "events")
KEPT = timedelta(hours=1)
_LOOK_SECONDS = 30.0
# A burst of Events that end together does not keep the process from its requests.
_AT_A_TIME = 200


class Expiry:
    """Deletes Events whose time is over; `run` it beside the server."""

    def __init__(self, serving: Serving, kept: timedelta = KEPT) -> None:
        self._serving = serving
        self._kept = kept
        self._written: dict[ObjectKey, datetime] = {}

    async def run(self) -> None:
        """Work until cancelled."""
        with self.following():
            while True:
                await self._serving.clock.sleep(_LOOK_SECONDS)
                await self.remove_old()

    @contextlib.contextmanager
    def following(self) -> Iterator[None]:
        """Know the Events there are, and those that come, until left."""
        mirror = self._serving.store.mirror
        stop = mirror.on_change(self._on_change)
        try:
            found = mirror.items(Scope.of(EVENTS))
            for stored in sorted(found, key=lambda one: one.revision):
                self._written[stored.key] = written_at(stored.manifest, self._serving.clock.now())
            yield
        finally:
            stop()

    def _on_change(self, change: Change) -> None:
        key = change.stored.key
        if key.group_resource != EVENTS:
            return
        self._written.pop(key, None)
        if change.type is not ChangeType.DELETED:
            self._written[key] = self._serving.clock.now()

    async def remove_old(self) -> None:
        """Delete what was written longer ago than it is kept."""
        bound = self._serving.clock.now() - self._kept
        old = [key for key, written in self._written.items() if written <= bound]
        for count, key in enumerate(old, start=1):
            # It may have been written again while others were deleted.
            if self._written.get(key, bound) <= bound:
                await self._remove(key)
            if count % _AT_A_TIME == 0:
                await asyncio.sleep(0)

    async def _remove(self, key: ObjectKey) -> None:
        self._written.pop(key, None)
        store = self._serving.store
        stored = store.mirror.get(key)
        if stored is None:
            return
        # Whoever wrote it meanwhile keeps it, and another replica may have been first.
        with contextlib.suppress(StaleRevision):
            await store.delete(key, stored.manifest, expected=stored.revision)


def written_at(event: Manifest, now: datetime) -> datetime:
    """When an Event was last written, as far as it says; *now* where it says nothing."""
    metadata = event["metadata"]
    times = [metadata.get("creationTimestamp")]
    times += [one.get("time") for one in metadata.get("managedFields") or () if one.get("time")]
    found = []
    for text in times:
        with contextlib.suppress(ValueError, TypeError):
            found.append(datetime.fromisoformat(str(text)))
    return min(max(found), now) if found else now


def warning(
    about: Manifest, *, reason: str, message: str, component: str, now: str
) -> dict[str, Any]:
    """Return an Event that warns of an object."""
    metadata: Mapping[str, Any] = about["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "generateName": f"{name_of(about)[:40]}.",
            "namespace": metadata.get("namespace", "default"),
        },
        "involvedObject": {
            "apiVersion": about["apiVersion"],
            "kind": about["kind"],
            "name": name_of(about),
            "namespace": metadata.get("namespace", ""),
            "uid": metadata.get("uid", ""),
            "resourceVersion": str(metadata.get("resourceVersion", "")),
        },
        "reason": reason,
        "message": message,
        "type": "Warning",
        "source": {"component": component},
        "reportingComponent": component,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }
