"""What the watches of a member show, and what it means for the objects that were ordered there."""

from collections.abc import Callable

import structlog

from services.propagator.apply.objects import Objects, TrackedObject
from services.propagator.apply.reporting.reports import Reports
from services.propagator.core.observed import LiveObject, is_newer, is_overtaken, read_live
from shared.apimachinery.manifest import ObjectKey, encode
from shared.events.orders import TEMPLATE_UID
from shared.interpreter.registry import KindName
from shared.memberapi.port import MemberListing, ResourceType

log = structlog.get_logger("hanse.propagator")

HandOver = Callable[[ObjectKey], None]


class Sight:
    """Of one member: takes note of what is seen, and has looked into what does not fit.

    *wake* has an object reconciled at once, *hand_over* once the foundations are in place.
    """

    def __init__(
        self,
        cluster: str,
        objects: Objects,
        reports: Reports,
        *,
        wake: HandOver,
        hand_over: HandOver,
    ) -> None:
        self._cluster = cluster
        self._objects = objects
        self._reports = reports
        self._wake_key = wake
        self._hand_over = hand_over

    def on_listing(self, kind: ResourceType, listing: MemberListing) -> None:
        shown = set()
        for manifest in listing.items:
            live = read_live(encode(manifest))
            tracked = self._find(kind, live) or self._rise(kind, live, listed=True)
            if tracked is None:
                self._ask_about(kind, live)
                continue
            shown.add(tracked.key)
            if is_overtaken(listing.resource_version, live, tracked.seen):
                self.doubt(tracked)
            else:
                self._on_seen(tracked, live)
        for tracked in self._objects.of_kind(kind):
            held = tracked.applied == tracked.sequence or tracked.removing
            if tracked.key not in shown and held:
                self.doubt(tracked)

    def on_event(self, kind: ResourceType, event: str, live: LiveObject) -> None:
        tracked = self._find(kind, live)
        if tracked is None and event != "DELETED":
            tracked = self._rise(kind, live, listed=False)
        if tracked is None:
            return
        if event != "DELETED":
            self._on_seen(tracked, live)
        elif tracked.seen is None or tracked.seen.uid == live.metadata.uid:
            if tracked.removing and tracked.deleted:
                # The member agreed to delete it, and here is the end of it.
                tracked.seen = None
                self.wake(tracked)
            else:
                self._reports.finished(tracked, live)
                self.doubt(tracked)

    def look_again(self, kinds: frozenset[KindName]) -> None:
        """Judge the objects of *kinds* anew: another interpreter speaks for them."""
        for tracked in self._objects:
            kind = tracked.kind
            if kind is not None and (kind.gvk.group, kind.gvk.kind) in kinds:
                self.doubt(tracked)

    def doubt(self, tracked: TrackedObject) -> None:
        """Have the member asked how it is with *tracked*."""
        if not tracked.deleted or tracked.removing:
            tracked.doubted = True
            self.wake(tracked)

    def wake(self, tracked: TrackedObject) -> None:
        tracked.pending = True
        self._wake_key(tracked.key)

    def _find(self, kind: ResourceType, live: LiveObject) -> TrackedObject | None:
        return self._objects.get(_key_of(kind, live))

    def _rise(self, kind: ResourceType, live: LiveObject, *, listed: bool) -> TrackedObject | None:
        key = _key_of(kind, live)
        tracked = self._objects.rise(key, live, listed=listed)
        if tracked is not None:
            log.warning("work.risen", cluster=self._cluster, key=str(key))
            self._hand_over(key)
        return tracked

    def _ask_about(self, kind: ResourceType, live: LiveObject) -> None:
        """Take up what a list shows with our mark and nobody ordered.

        WORK remembers for a while what was removed: it is removed again where the member came back
        from a backup, whoever worked for it then. Otherwise it stays.
        """
        observed = live.observe()
        if not observed.ours or not observed.work_generation:
            # Copies of our labels, as on endpoints, are the member's own.
            return
        key = _key_of(kind, live)
        log.warning("work.stray", cluster=self._cluster, key=str(key))
        tracked = self._objects.track(key)
        tracked.stray, tracked.seen = kind, observed
        tracked.template_uid = (live.metadata.annotations or {}).get(TEMPLATE_UID) or ""
        self._hand_over(key)

    def _on_seen(self, tracked: TrackedObject, live: LiveObject) -> None:
        seen = tracked.seen
        if (
            seen is not None
            and seen.uid == live.metadata.uid
            and not is_newer(live.metadata.resource_version, seen.resource_version)
        ):
            # Mostly the echo of our own apply.
            return
        tracked.seen = live.observe(seen)
        if tracked.pending or tracked.applied != tracked.sequence:
            tracked.latest = live
            if tracked.failures:
                self._reports.still_refused(tracked, live)
            return
        if tracked.drifted or tracked.outrun or tracked.suspects(live):
            self.wake(tracked)
        else:
            self._reports.seen(tracked, live)


def _key_of(kind: ResourceType, live: LiveObject) -> ObjectKey:
    metadata = live.metadata
    return ObjectKey(kind.gvk.group, kind.resource, metadata.namespace, metadata.name)
