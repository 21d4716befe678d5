"""What to do with an object of the member's own that bears the name of one to be applied."""

import structlog

from services.propagator.apply.holding.foreign import ForeignObjects
from services.propagator.apply.objects import TrackedObject
from services.propagator.apply.orphans import Orphans
from services.propagator.core.adoption import (
    adoption_patch,
    changes,
    conflicts,
    read_mark,
)
from services.propagator.core.marks import fill_generation
from shared.apimachinery.manifest import Manifest, decode
from shared.clock import Clock, format_time
from shared.errors import MemberRefused
from shared.events.work import WorkOrder
from shared.memberapi.port import MemberApi
from shared.memberapi.request import ADOPTION_MANAGER

log = structlog.get_logger("hanse.propagator")


class Adoptions:
    """Of one member."""

    def __init__(
        self,
        cluster: str,
        api: MemberApi,
        clock: Clock,
        foreign: ForeignObjects,
        orphans: Orphans,
    ) -> None:
        self._orphans = orphans
        self._cluster = cluster
        self._api = api
        self._clock = clock
        self._foreign = foreign

    async def adopt(self, tracked: TrackedObject, order: WorkOrder) -> bool:
        """Make the object Hanse's to apply, where one is there and the policy allows it.

        False where none is there. Raises `MemberRefused`, AlreadyExists, where it must be left.
        """
        # What is there under a name that was coined, the apply itself will notice.
        live = None if tracked.coined else await self._foreign.find(tracked)
        if live is None:
            return False
        if await self._orphans.take_back(tracked, live):
            return True
        if order.conflict_resolution == "Abort":
            held = conflicts(decode(bytes(order.manifest)), live)
            raise _refusal(
                tracked,
                held,
                "set conflictResolution to Overwrite or IfNoDiff to take it over",
            )
        if order.conflict_resolution == "IfNoDiff":
            await self._require_no_difference(tracked, order, live)
        await self._mark(tracked, live)
        return True

    async def _require_no_difference(
        self, tracked: TrackedObject, order: WorkOrder, live: Manifest
    ) -> None:
        kind, key = tracked.kind, tracked.key
        assert kind is not None
        body = fill_generation(bytes(order.manifest), tracked.sequence)
        after = decode(
            await self._api.apply_encoded(kind, key.namespace, key.name, body, dry_run=True)
        )
        if differing := changes(live, after):
            held = conflicts(decode(body), live)
            what = f"taking it over would change {differing}" + (f" ({held})" if held else "")
            raise _refusal(tracked, what, "it stays as it is with conflictResolution IfNoDiff")

    async def _mark(self, tracked: TrackedObject, live: Manifest) -> None:
        kind, key = tracked.kind, tracked.key
        assert kind is not None
        if read_mark(live) is not None:
            return
        secret = (kind.gvk.group, kind.gvk.kind) == ("", "Secret")
        patch = adoption_patch(live, format_time(self._clock.now()), secret=secret)
        await self._api.merge(kind, key.namespace, key.name, patch, manager=ADOPTION_MANAGER)
        log.info("object.adopted", cluster=self._cluster, key=str(key))


def _refusal(tracked: TrackedObject, what: str, then: str) -> MemberRefused:
    assert tracked.kind is not None
    key = tracked.key
    path = f"{key.namespace}/{key.name}" if key.namespace else key.name
    detail = f": {what}" if what else ""
    return MemberRefused(
        f"{tracked.kind.resource} {path} exists in the member and is not Hanse's{detail}; {then}",
        reason="AlreadyExists",
        status=409,
    )
