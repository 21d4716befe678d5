"""Having the member hold an object as ordered, and putting right what drifted since."""

from services.propagator.apply.holding.adoptions import Adoptions
from services.propagator.apply.holding.autoscalers import Autoscalers
from services.propagator.apply.holding.corrections import Corrections
from services.propagator.apply.holding.foreign import ForeignObjects
from services.propagator.apply.holding.formers import Formers
from services.propagator.apply.looking import look_at
from services.propagator.apply.objects import TrackedObject
from services.propagator.apply.reporting.drift_reports import DriftReports
from services.propagator.apply.reporting.outcomes import Outcomes
from services.propagator.apply.reporting.reports import Reports
from services.propagator.core.fencing import of_version, stopped
from services.propagator.core.finished import is_over
from services.propagator.core.marks import fill_generation
from services.propagator.core.observed import LiveObject, read_live
from services.propagator.core.ownership import Claim, ReplicaClaim, claim
from shared.apimachinery.manifest import (
    GroupVersionKind,
    Manifest,
    decode,
    encode,
    metadata_of,
)
from shared.controller.result import Result
from shared.errors import MemberRefused, StaleRevision
from shared.events.work import WorkOrder
from shared.memberapi.port import MemberApi
from shared.memberapi.request import HANDOVER_MANAGER


class Holder:
    """Of one member; carries out orders with a manifest."""

    def __init__(
        self,
        *,
        api: MemberApi,
        foreign: ForeignObjects,
        adoptions: Adoptions,
        autoscalers: Autoscalers,
        corrections: Corrections,
        reports: Reports,
        drift: DriftReports,
        outcomes: Outcomes,
        formers: Formers,
    ) -> None:
        self._formers = formers
        self._api = api
        self._foreign = foreign
        self._adoptions = adoptions
        self._autoscalers = autoscalers
        self._corrections = corrections
        self._reports = reports
        self._drift = drift
        self._outcomes = outcomes

    async def hold(self, tracked: TrackedObject, order: WorkOrder) -> Result:
        if await self._formers.is_first(tracked, order):
            return await self._outcomes.underway(tracked)
        try:
            return await self._hold(tracked, order)
        except MemberRefused as err:
            if not await self._formers.is_in_the_way(tracked, order, err):
                raise
            return await self._outcomes.underway(tracked)

    async def _hold(self, tracked: TrackedObject, order: WorkOrder) -> Result:
        suspect, tracked.suspect = tracked.suspect, False
        live: Manifest | None = None
        if tracked.doubted or (tracked.seen is None and _was_there(tracked)):
            live = await self._confirm(tracked)
            if live is None and is_over(_gvk_of(tracked), tracked.reported, order):
                tracked.drift = ""
                self._reports.over(tracked)
                return await self._outcomes.obeyed(tracked)
        delegated = await self._autoscalers.decide(tracked, order.ownership)
        if tracked.drift == "" and tracked.applied == tracked.sequence:
            if tracked.drifted or tracked.outrun:
                tracked.drift = "Edited"
            elif not suspect and delegated == tracked.delegated:
                # Woken for a doubt that was unfounded.
                if live is not None:
                    self._reports.seen(tracked, read_live(encode(live)))
                return await self._outcomes.obeyed(tracked)
        if tracked.drift == "Deleted" and order.ownership.drift.mode != "Correct":
            return await self._leave_deleted(tracked, order)
        known = tracked.seen is not None and tracked.seen.labelled
        guarded = not known and not await self._adoptions.adopt(tracked, order)
        delay = self._corrections.delay(tracked)
        if delay:
            return self._outcomes.postponed(tracked, delay)
        if not (suspect or delegated or tracked.special):
            await self._apply(tracked, bytes(order.manifest), guarded=guarded)
            if tracked.standing:
                # What a former policy left and told of has just been put right.
                self._drift.found(tracked, ())
            return await self._outcomes.obeyed(tracked)
        found = await self._claim(tracked, order, live, delegated=delegated)
        return await self._carry_out(tracked, found, guarded=guarded, delegated=delegated)

    async def put(
        self, tracked: TrackedObject, order: WorkOrder, body: bytes, *, stopping: bool = False
    ) -> LiveObject:
        """Have the member hold *body*, whatever others did to it; *stopping*: without a word."""
        if tracked.doubted and not stopping:
            # It begins only as it was seen last, which may be no more than it once was.
            await look_at(self._api, tracked)
        known = tracked.seen is not None and tracked.seen.labelled
        guarded = not known and not await self._adoptions.adopt(tracked, order)
        return await self._apply(tracked, body, guarded=guarded, stopping=stopping)

    def watch_over(self, tracked: TrackedObject) -> Result:
        return self._corrections.watch_over(tracked)

    async def _claim(
        self, tracked: TrackedObject, order: WorkOrder, live: Manifest | None, *, delegated: bool
    ) -> Claim:
        """What to insist on, as the object is now."""
        if live is None and tracked.drift != "Deleted":
            live = await look_at(self._api, tracked)
        replicas = ReplicaClaim.JUDGED
        if delegated:
            replicas = ReplicaClaim.LEFT
        elif tracked.delegated:
            replicas = ReplicaClaim.REGAINED
        news = tracked.applied != tracked.sequence
        return claim(decode(bytes(order.manifest)), live, order.ownership, replicas, news=news)

    async def _carry_out(
        self, tracked: TrackedObject, found: Claim, *, guarded: bool, delegated: bool
    ) -> Result:
        division = found.division
        if self._is_content(tracked, found, delegated=delegated):
            return await self._leave(tracked, found, delegated=delegated)
        # What a change of owner takes back is nobody's fault.
        same_owner = delegated == tracked.delegated and tracked.applied == tracked.sequence
        if same_owner and division.insisted and not tracked.drift:
            tracked.drift = "Edited"
            delay = self._corrections.delay(tracked)
            if delay:
                return self._outcomes.postponed(tracked, delay)
        if found.hand_over is not None:
            await self._hand_over(tracked, found)
        tracked.delegated = delegated
        await self._apply(tracked, encode(found.body), guarded=guarded)
        if tracked.drift:
            self._corrections.done(tracked, division.insisted)
        if division.told or tracked.standing:
            self._drift.found(tracked, division.told)
        await self._outcomes.obeyed(tracked)
        return self._corrections.watch_over(tracked)

    def _is_content(self, tracked: TrackedObject, found: Claim, *, delegated: bool) -> bool:
        """Whether nothing is to be taken back, and somebody has what was let go."""
        return (
            found.live is not None
            and tracked.applied == tracked.sequence
            # Without our mark as it was left it would be looked at for ever.
            and tracked.seen is not None
            and tracked.seen.work_generation == tracked.sequence
            and not found.division.insisted
            and bool(found.division.left or delegated)
        )

    async def _leave(self, tracked: TrackedObject, found: Claim, *, delegated: bool) -> Result:
        """Take what the member holds for what it should."""
        assert tracked.seen is not None
        assert found.live is not None
        tracked.baseline, tracked.drift = tracked.seen.fields_digest, ""
        tracked.delegated = delegated
        if found.division.told or tracked.standing:
            self._drift.found(tracked, found.division.told)
        self._reports.seen(tracked, read_live(encode(found.live)))
        return await self._outcomes.obeyed(tracked)

    async def _leave_deleted(self, tracked: TrackedObject, order: WorkOrder) -> Result:
        """The policy leaves objects that were deleted in the member; the next order brings it."""
        if order.ownership.drift.mode == "Report":
            self._drift.found(tracked, (), "Deleted")
        tracked.drift = ""
        self._reports.deleted(tracked)
        return await self._outcomes.obeyed(tracked)

    async def _apply(
        self, tracked: TrackedObject, body: bytes, *, guarded: bool, stopping: bool = False
    ) -> LiveObject:
        key, kind, sequence = tracked.key, tracked.kind, tracked.sequence
        assert kind is not None
        if tracked.outrun_anew:
            # Seen while the member was asked: what is in hand may be stale.
            raise StaleRevision(f"{key} bears a newer order than {sequence}")
        filled = fill_generation(body, sequence)
        if tracked.fenced and not stopping:
            applied = await self._start(tracked, filled, guarded=guarded)
        else:
            applied = await self._send(tracked, filled, guarded=guarded)
        answer = applied.observe(tracked.seen)
        tracked.observe(answer)
        tracked.applied, tracked.baseline = sequence, answer.fields_digest
        tracked.removing = ""
        if not stopping:
            self._reports.applied(tracked, applied, sequence)
        return applied

    async def _send(self, tracked: TrackedObject, body: bytes, *, guarded: bool) -> LiveObject:
        key, kind = tracked.key, tracked.kind
        assert kind is not None
        if guarded:
            return read_live(await self._foreign.apply_encoded(tracked, body))
        return read_live(await self._api.apply_encoded(kind, key.namespace, key.name, body))

    async def _start(self, tracked: TrackedObject, body: bytes, *, guarded: bool) -> LiveObject:
        """Apply what is fenced so that the request does nothing where it arrives late.

        It may have been stopped meanwhile: so it must be as it was seen, and begins at rest.
        """
        if tracked.seen is None and await look_at(self._api, tracked) is None:
            made = await self._send(tracked, encode(stopped(decode(body))), guarded=guarded)
            tracked.observe(made.observe())
        assert tracked.seen is not None
        try:
            return await self._send(
                tracked, of_version(body, tracked.seen.resource_version), guarded=False
            )
        except MemberRefused as err:
            if err.status == 409:
                # Somebody else changed it, its status too: look again.
                tracked.doubted = True
            raise

    async def _hand_over(self, tracked: TrackedObject, found: Claim) -> None:
        """Have another manager hold the replicas as they are, before Hanse lets go of them."""
        kind, key = tracked.kind, tracked.key
        assert kind is not None
        assert found.live is not None
        metadata = {
            "name": key.name,
            "namespace": key.namespace,
            # Refused where somebody scaled it meanwhile: then it is theirs already.
            "resourceVersion": metadata_of(found.live).get("resourceVersion"),
        }
        body = encode(
            {
                "apiVersion": kind.gvk.api_version,
                "kind": kind.gvk.kind,
                "metadata": metadata,
                "spec": {"replicas": found.hand_over},
            }
        )
        await self._api.apply_encoded(
            kind, key.namespace, key.name, body, force=False, manager=HANDOVER_MANAGER
        )

    async def _confirm(self, tracked: TrackedObject) -> Manifest | None:
        """Look at an object the watch no longer shows: gone, or only without our label."""
        live = await look_at(self._api, tracked)
        if live is None and tracked.applied == tracked.sequence:
            tracked.drift = "Deleted"
        return live


def _gvk_of(tracked: TrackedObject) -> GroupVersionKind:
    assert tracked.kind is not None
    return tracked.kind.gvk


def _was_there(tracked: TrackedObject) -> bool:
    """Whether a predecessor reported it: what others did to it since must be seen first."""
    return tracked.reported is not None and tracked.reported.present
