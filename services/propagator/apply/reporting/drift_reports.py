"""What a worker says of drift: facts for EVENTS, and what stands of it for STATUS."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from services.propagator.apply.objects import TrackedObject
from services.propagator.apply.reporting.reporter import Reporter
from services.propagator.apply.reporting.reports import identity_of
from services.propagator.core.drift import LostField
from services.propagator.core.drift_telling import shown
from shared.api.drift import FIELDS_SHOWN_MAX, DriftedField, DriftReport
from shared.clock import Clock, format_micro_time, format_time
from shared.events.drift import (
    DriftContested,
    DriftCorrected,
    DriftDetected,
    DriftFact,
    DriftSettled,
    describes,
)

FIELDS_MAX = 20


class DriftReports:
    """Speaks for one member."""

    def __init__(self, cluster: str, reporter: Reporter, clock: Clock) -> None:
        self._cluster = cluster
        self._reporter = reporter
        self._clock = clock

    def corrected(self, tracked: TrackedObject, lost: Sequence[LostField]) -> None:
        assert tracked.drift
        self._tell(tracked, DriftCorrected, tracked.drift, self._shown(tracked, lost), "")

    def contested(self, tracked: TrackedObject, lost: Sequence[LostField]) -> None:
        """Somebody keeps undoing what is put right; told once for as long as it goes on."""
        contest, fields = tracked.contest, self._shown(tracked, lost)
        assert tracked.drift
        self._stand(tracked, "Contested", tracked.drift, fields, contest.since)
        if not contest.told:
            contest.told = True
            fact = self._make(tracked, DriftContested, tracked.drift, fields, contest.since)
            self._state(tracked, msgspec.structs.replace(fact, corrections=contest.corrections))

    def found(
        self,
        tracked: TrackedObject,
        told: Sequence[LostField],
        change: Literal["Edited", "Deleted"] = "Edited",
    ) -> None:
        """What the policy leaves as it is, and wants told; nothing ends what was told before."""
        if not told and change == "Edited":
            if tracked.standing is not None and tracked.standing.state == "Reported":
                self.settled(tracked)
            return
        before, fields = tracked.standing, self._shown(tracked, told)
        since = min((one.time for one in fields if one.time), default="")
        if before is not None and before.state == "Reported":
            since = before.since
        self._stand(tracked, "Reported", change, fields, since or self._second())
        assert tracked.standing is not None
        if before is None or describes(before) != describes(tracked.standing):
            self._tell(tracked, DriftDetected, change, fields, tracked.standing.since)

    def settled(self, tracked: TrackedObject) -> None:
        """What stood is over."""
        before, tracked.standing = tracked.standing, None
        if before is None:
            return
        self._restate(tracked)
        self._tell(tracked, DriftSettled, before.change, before.fields, before.since)

    def _stand(
        self,
        tracked: TrackedObject,
        state: Literal["Reported", "Contested"],
        change: Literal["Edited", "Deleted"],
        fields: tuple[DriftedField, ...],
        since: str,
    ) -> None:
        tracked.standing = DriftReport(
            state=state,
            change=change,
            since=since,
            fields=fields[:FIELDS_SHOWN_MAX],
            more=max(len(fields) - FIELDS_SHOWN_MAX, 0),
        )
        self._restate(tracked)

    def _restate(self, tracked: TrackedObject) -> None:
        """Report once more what was reported last, with what stands of drift now."""
        if tracked.reported is not None and tracked.reported.generation == tracked.sequence:
            drift = tracked.standing or msgspec.UNSET
            changed = msgspec.structs.replace(tracked.reported, drift=drift)
            self._reporter.report(tracked, changed)

    def _shown(self, tracked: TrackedObject, lost: Sequence[LostField]) -> tuple[DriftedField, ...]:
        assert tracked.kind is not None
        return tuple(shown(one, tracked.kind.gvk) for one in lost)

    def _tell(
        self,
        tracked: TrackedObject,
        fact: type[DriftFact],
        change: Literal["Edited", "Deleted"],
        fields: tuple[DriftedField, ...],
        since: str,
    ) -> None:
        self._state(tracked, self._make(tracked, fact, change, fields, since))

    def _make(
        self,
        tracked: TrackedObject,
        fact: type[DriftFact],
        change: Literal["Edited", "Deleted"],
        fields: tuple[DriftedField, ...],
        since: str,
    ) -> DriftFact:
        since = since or min((one.time for one in fields if one.time), default="")
        return fact(
            **identity_of(self._cluster, tracked),
            occurred_at=format_micro_time(self._clock.now()),
            generation=tracked.sequence,
            change=change,
            fields=fields[:FIELDS_MAX],
            since=since or self._second(),
        )

    def _state(self, tracked: TrackedObject, fact: DriftFact) -> None:
        version = tracked.seen.resource_version if tracked.seen else ""
        # One look may be told of in two facts.
        what = str(fact.__struct_config__.tag)
        self._reporter.state(tracked.key, fact, f"{what}/{tracked.sequence}/{version}")

    def _second(self) -> str:
        """Whole seconds, as everything has them that people read in an object."""
        return format_time(self._clock.now())
