"""Carries plans out on the store, and lets requests go first while many are carried out.

Controllers write below the verbs: managed fields stay as clients left them, so what a client
applied stays its own, and status is nobody's.
"""

import asyncio
import secrets
import time
import uuid
from collections.abc import Callable
from datetime import timedelta

import structlog

from services.simulator.core.fields import controller_of, is_deleting, with_metadata
from services.simulator.core.plan import NAMESPACES, Create, Delete, Plan, Replace, key_of
from services.simulator.core.view import View
from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.clock import Clock, format_time
from shared.controller.result import Again, Done, Result
from shared.errors import AlreadyExists, StaleRevision
from shared.store.port import ObjectStore, Revision

log = structlog.get_logger("hanse.simulator")

# How long controllers may keep the process to themselves; a request waits this much longer.
_TURN_SECONDS = 0.002
# Clients write no more when this has passed since their last request.
_CALM_SECONDS = 0.5
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
# A time on which a plan depends has passed by then, whatever the rounding.
_LATE = timedelta(milliseconds=20)


def make_suffix() -> str:
    number, letters = secrets.randbits(32), ""
    for _ in range(5):
        number, rest = divmod(number, len(_LETTERS))
        letters += _LETTERS[rest]
    return letters


class Writer:
    """Writes for every controller of one cluster. *born* may change a pod before it is created.

    *rest*: between turns while clients write (docs/adr/0012).
    """

    def __init__(
        self,
        store: ObjectStore,
        view: View,
        clock: Clock,
        born: Callable[[ObjectKey, Manifest], Manifest],
        *,
        rest: timedelta = timedelta(0),
    ) -> None:
        self._store = store
        self._view = view
        self._clock = clock
        self._born = born
        self._rest_seconds = rest.total_seconds()
        self._turn_ends = 0.0
        self._requested = 0.0
        # Those who wait for a turn, one behind the other.
        self._line = asyncio.Lock()

    async def carry_out(self, plan: Plan) -> Result:
        """Raise `StaleRevision` where an object moved on: the plan was made for another state."""
        for write in plan.writes:
            match write:
                case Create():
                    await self._create(write)
                case Replace():
                    key = key_of(write.resource, write.old)
                    await self._store.update(key, write.new, expected=_revision(write.old))
                case Delete():
                    await self._delete(write)
            await self.give_way()
        if plan.again is None:
            return Done()
        return Again(max(plan.again, timedelta(0)) + _LATE)

    def requested(self) -> None:
        """Take note that a client writes."""
        self._requested = time.perf_counter()

    async def give_way(self) -> None:
        """Let requests be served when controllers have had this process for long enough.

        Of all the controllers that wait, one goes on per pass of the event loop: were it all of
        them, a request would wait for each. While clients write they all rest, for a bounded time.
        """
        if time.perf_counter() < self._turn_ends:
            return
        async with self._line:
            await asyncio.sleep(0)
            while (rest := self._rest_left()) > 0:  # noqa: ASYNC110 (only time ends it)
                await asyncio.sleep(rest)
            now = time.perf_counter()
            if now >= self._turn_ends:
                # Who waited with it shares its turn, for as long as that lasts.
                self._turn_ends = now + _TURN_SECONDS

    def _rest_left(self) -> float:
        """Seconds until the next turn; in a turn, whoever began it, there are none."""
        now = time.perf_counter()
        if now < self._turn_ends:
            return 0.0
        return min(self._requested + _CALM_SECONDS, self._turn_ends + self._rest_seconds) - now

    async def _create(self, write: Create) -> None:
        metadata = dict(write.manifest["metadata"])
        if not metadata.get("name"):
            metadata["name"] = metadata["generateName"] + make_suffix()
        namespace = metadata.get("namespace") or ""
        if namespace and not self._takes_objects(namespace):
            return
        metadata.setdefault("uid", str(uuid.uuid4()))
        metadata["creationTimestamp"] = format_time(self._clock.now())
        metadata["generation"] = 1
        manifest = {**write.manifest, "metadata": metadata}
        key = key_of(write.resource, manifest)
        if write.manifest["kind"] == "Pod":
            manifest = self._born(key, manifest)
        try:
            await self._store.create(key, manifest)
        except AlreadyExists:
            await self._adopt(key, write)

    def _takes_objects(self, namespace: str) -> bool:
        found = self._view.find(NAMESPACES, "", namespace)
        return found is not None and not is_deleting(found)

    async def _adopt(self, key: ObjectKey, write: Create) -> None:
        """Take over an object of that name which nobody controls any more."""
        found = self._view.get(key)
        owners = write.manifest["metadata"].get("ownerReferences")
        if found is None or not owners or is_deleting(found):
            return
        if controller_of(found):
            if controller_of(found).get("uid") != owners[0]["uid"]:
                log.warning("simulator.name_taken", key=str(key))
            return
        others = found["metadata"].get("ownerReferences") or []
        adopted = with_metadata(found, ownerReferences=[*others, *owners])
        await self._store.update(key, adopted, expected=_revision(found))

    async def _delete(self, write: Delete) -> None:
        key, manifest = key_of(write.resource, write.manifest), write.manifest
        marked = with_metadata(
            manifest,
            deletionTimestamp=manifest["metadata"].get("deletionTimestamp")
            or format_time(self._clock.now()),
            deletionGracePeriodSeconds=0,
        )
        try:
            if manifest["metadata"].get("finalizers"):
                if not is_deleting(manifest):
                    await self._store.update(key, marked, expected=_revision(manifest))
                return
            await self._store.delete(key, marked, expected=_revision(manifest))
        except StaleRevision:
            # Gone already is as good as deleted.
            if self._view.get(key) is not None:
                raise


def _revision(manifest: Manifest) -> Revision:
    return Revision(int(manifest["metadata"]["resourceVersion"]))
