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
from shared.apimachinery.manifest import name_of
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

    async def guard(self, tracked: TrackedObject) -> None:
        """Raise `MemberRefused`, AlreadyExists, where Hanse never applied an object that exists."""
        kind, namespace, name = tracked.kind, tracked.key.namespace, tracked.key.name
        assert kind is not None
        if name in (await self._view(kind, namespace)).names:
            # Rare, so now ask exactly: somebody may only have taken our label off.
            await self._refuse_taken(kind, namespace, name)

    async def apply_encoded(
        self, kind: ResourceType, namespace: str, name: str, body: bytes
    ) -> bytes:
        """As the member's, for an object that is not there: one made meanwhile is not taken."""
        try:
            return await self._api.apply_encoded(kind, namespace, name, body, force=False)
        except MemberRefused as err:
            if err.status != 409:
                raise
        await self._refuse_taken(kind, namespace, name)
        return await self._api.apply_encoded(kind, namespace, name, body)

    async def _refuse_taken(self, kind: ResourceType, namespace: str, name: str) -> None:
        live = await self._api.get(kind, namespace, name)
        if live is not None and not is_managed(live):
            path = f"{namespace}/{name}" if namespace else name
            raise MemberRefused(
                f"{kind.resource} {path} exists in the member and is not Hanse's; set "
                "conflictResolution to Overwrite to take it over",
                reason="AlreadyExists",
                status=409,
            )

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
                if not self._locks[place].locked():
                    del self._locks[place]
