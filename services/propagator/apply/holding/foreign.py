"""Objects of the member's own that bear a name we are about to apply: not ours to touch.

Asking for each object would cost one call more per apply. Instead one list per kind and namespace,
of what does *not* carry our label, answers for every apply of the next moment; a wave of a thousand
new objects then costs a list per second. What somebody makes within that moment is noticed
by the apply itself, which takes no field from anybody.
"""

import asyncio
from dataclasses import dataclass

from services.propagator.apply.objects import TrackedObject
from services.propagator.core.marks import UNMANAGED_SELECTOR, is_managed
from shared.apimachinery.manifest import Manifest, name_of
from shared.clock import Clock
from shared.errors import MemberRefused
from shared.memberapi.port import MemberApi, ResourceType

Place = tuple[ResourceType, str]


@dataclass(frozen=True, slots=True)
class _View:
    taken: float
    names: frozenset[str]


class ForeignObjects:
    """Names held by others, per kind and namespace, not older than *max_age* seconds."""

    def __init__(self, api: MemberApi, clock: Clock, max_age: float) -> None:
        self._api = api
        self._clock = clock
        self._max_age = max_age
        self._views: dict[Place, _View] = {}
        self._locks: dict[Place, asyncio.Lock] = {}

    async def find(self, tracked: TrackedObject) -> Manifest | None:
        """An object of that name that Hanse never applied; None where there is none."""
        assert tracked.kind is not None
        if tracked.key.name not in (await self._view(tracked.kind, tracked.key.namespace)).names:
            return None
        # Rare, so now ask exactly: somebody may only have taken our label off.
        return await self._look(tracked)

    async def apply_encoded(self, tracked: TrackedObject, body: bytes) -> bytes:
        """As the member's, for an object that is not there.

        One made meanwhile is not taken, if it differs: raises `MemberRefused` with status 409.
        """
        kind, key = tracked.kind, tracked.key
        assert kind is not None
        try:
            return await self._api.apply_encoded(kind, key.namespace, key.name, body, force=False)
        except MemberRefused as err:
            if err.status != 409 or await self._look(tracked) is not None:
                raise
        return await self._api.apply_encoded(kind, key.namespace, key.name, body)

    async def _look(self, tracked: TrackedObject) -> Manifest | None:
        assert tracked.kind is not None
        live = await self._api.get(tracked.kind, tracked.key.namespace, tracked.key.name)
        return None if live is None or is_managed(live) else live

    async def _view(self, kind: ResourceType, namespace: str) -> _View:
        place = (kind, namespace)
        async with self._locks.setdefault(place, asyncio.Lock()):
            view = self._views.get(place)
            now = self._clock.monotonic()
            if view is None or now - view.taken > self._max_age:
                self._forget_old(now)
                listing = await self._api.list(
                    kind, namespace=namespace, label_selector=UNMANAGED_SELECTOR
                )
                view = _View(now, frozenset(name_of(item) for item in listing.items))
                self._views[place] = view
            return view

    def _forget_old(self, now: float) -> None:
        for place, view in list(self._views.items()):
            if now - view.taken > self._max_age:
                del self._views[place]
                # Whoever waited for it when it was let go has it still.
                lock = self._locks.get(place)
                if lock is not None and not lock.locked():
                    del self._locks[place]
