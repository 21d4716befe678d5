"""Having the member hold an object as ordered, and putting right what drifted since."""

from services.propagator.apply.autoscalers import is_autoscaled
from services.propagator.apply.corrections import Corrections
from services.propagator.apply.foreign import ForeignObjects
from services.propagator.apply.looking import look_at
from services.propagator.apply.objects import TrackedObject
from services.propagator.apply.outcomes import Outcomes
from services.propagator.apply.reports import Reports
from services.propagator.core.drift import LostField, lost_fields, without_replicas
from services.propagator.core.marks import fill_generation
from services.propagator.core.observed import observe, read_live
from shared.apimachinery.manifest import Manifest, decode, encode
from shared.controller.result import Result
from shared.events.work import WorkOrder
from shared.memberapi.port import MemberApi


class Holder:
    """Of one member; carries out orders with a manifest."""

    def __init__(
        self,
        api: MemberApi,
        foreign: ForeignObjects,
        corrections: Corrections,
        reports: Reports,
        outcomes: Outcomes,
    ) -> None:
        self._api = api
        self._foreign = foreign
        self._corrections = corrections
        self._reports = reports
        self._outcomes = outcomes

    async def hold(self, tracked: TrackedObject, order: WorkOrder) -> Result:
        key, kind = tracked.key, tracked.kind
        assert kind is not None
        live: Manifest | None = None
        if tracked.doubted or (tracked.seen is None and _was_there(tracked)):
            live = await self._confirm(tracked)
        if tracked.drift == "" and tracked.applied == tracked.sequence:
            if not (tracked.drifted or tracked.outrun):
                # Woken for a doubt that was unfounded.
                if live is not None:
                    self._reports.seen(tracked, read_live(encode(live)))
                return await self._outcomes.obeyed(tracked)
            tracked.drift = "Edited"
        known = tracked.seen is not None and tracked.seen.labelled
        guarded = not known and order.conflict_resolution == "Abort"
        if guarded:
            await self._foreign.guard(kind, key.namespace, key.name)
        delay = self._corrections.delay(tracked)
        if delay:
            return self._outcomes.postponed(tracked, delay)
        if tracked.drift == "Edited":
            live = live or await self._api.get(kind, key.namespace, key.name)
            tracked.seen = observe(live) if live is not None else None
        delegated = (
            tracked.seen is not None
            and tracked.seen.autoscaled
            and await is_autoscaled(self._api, kind, key.namespace, key.name)
        )
        lost = _examine(tracked, order, live, delegated=delegated)
        body = fill_generation(bytes(order.manifest), tracked.sequence)
        if delegated:
            body = without_replicas(body)
        await self._apply(tracked, body, guarded=guarded)
        if tracked.drift:
            self._corrections.done(tracked, lost)
        return await self._outcomes.obeyed(tracked)

    async def _apply(self, tracked: TrackedObject, body: bytes, *, guarded: bool) -> None:
        key, kind, sequence = tracked.key, tracked.kind, tracked.sequence
        assert kind is not None
        apply = (self._foreign if guarded else self._api).apply_encoded
        applied = read_live(await apply(kind, key.namespace, key.name, body))
        answer = applied.observe(tracked.seen)
        tracked.observe(answer)
        tracked.applied, tracked.baseline = sequence, answer.fields_digest
        tracked.removing = ""
        self._reports.applied(tracked, applied, sequence)

    async def _confirm(self, tracked: TrackedObject) -> Manifest | None:
        """Look at an object the watch no longer shows: gone, or only without our label."""
        live = await look_at(self._api, tracked)
        if live is None and tracked.applied == tracked.sequence:
            tracked.drift = "Deleted"
        return live


def _examine(
    tracked: TrackedObject, order: WorkOrder, live: Manifest | None, *, delegated: bool
) -> tuple[LostField, ...]:
    """Who took which field; an autoscaler that took the replicas may keep them."""
    if live is None:
        return ()
    lost = lost_fields(decode(bytes(order.manifest)), live)
    if delegated:
        lost = tuple(one for one in lost if one.path != ".spec.replicas")
        if not lost and tracked.drift == "Edited":
            # Nothing else changed: no drift, only a new owner of the replicas.
            tracked.drift = ""
    return lost


def _was_there(tracked: TrackedObject) -> bool:
    """Whether a predecessor reported it: what others did to it since must be seen first."""
    return tracked.reported is not None and tracked.reported.present
