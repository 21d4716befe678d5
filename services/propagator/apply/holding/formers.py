"""What is left in the member of a deleted template, in the place of the one that followed it."""

from services.propagator.apply.looking import look_at
from services.propagator.apply.objects import TrackedObject
from services.propagator.apply.reporting.reports import Reports
from services.propagator.core.finished import may_finish
from services.propagator.core.former import must_go
from services.propagator.core.removing import held_up
from shared.apimachinery.manifest import metadata_of, uid_of
from shared.errors import MemberRefused, StaleRevision
from shared.events.work import WorkOrder
from shared.memberapi.port import MemberApi

_INVALID = 422


class Formers:
    """Of one member."""

    def __init__(self, api: MemberApi, reports: Reports) -> None:
        self._api = api
        self._reports = reports

    async def is_first(self, tracked: TrackedObject, order: WorkOrder) -> bool:
        """Whether another run has to end before *order* begins one: it is asked to."""
        assert tracked.kind is not None
        if order.replaces is not True or not may_finish(tracked.kind.gvk):
            return False
        return tracked.applied != tracked.sequence and await self._gives_way(tracked, order)

    async def is_in_the_way(
        self, tracked: TrackedObject, order: WorkOrder, err: MemberRefused
    ) -> bool:
        """Whether what is left is why the member refused *order*: it is asked to go."""
        if order.replaces is not True or err.status != _INVALID:
            return False
        return await self._gives_way(tracked, order)

    async def _gives_way(self, tracked: TrackedObject, order: WorkOrder) -> bool:
        live = await look_at(self._api, tracked)
        kind, key = tracked.kind, tracked.key
        assert kind is not None
        if live is None or not must_go(live, kind.gvk, order):
            return False
        if tracked.outrun_anew:
            # What another worker made of a newer order is nobody's former.
            raise StaleRevision(f"{key} bears a newer order than {tracked.sequence}")
        # Whether it is gone is asked next.
        tracked.doubted = True
        if not metadata_of(live).get("deletionTimestamp"):
            await self._api.delete(
                kind, key.namespace, key.name, uid=uid_of(live), propagation="Background"
            )
        self._reports.removing(tracked, held_up(live))
        return True
