"""How many answers in a row change what one observer believes of a member.

One failed probe is no failed member, and one lucky answer does not bring one back: a belief changes
only after its threshold of probes in a row. Until then one that was reachable is Suspect. Being
turned away (401, 403) is an answer: never a reason to call a member unreachable.
"""

from dataclasses import dataclass, replace
from enum import Enum, auto

from shared.events.cluster import Reach


class Outcome(Enum):
    """What became of one probe."""

    REACHED = auto()
    NOT_READY = auto()
    REFUSED = auto()
    SILENT = auto()
    OVERDUE = auto()
    """No answer before the deadline; it is still waited for."""


_BELIEF = {
    Outcome.REACHED: Reach.REACHABLE,
    Outcome.NOT_READY: Reach.NOT_READY,
    Outcome.REFUSED: Reach.CREDENTIALS_REFUSED,
    Outcome.SILENT: Reach.UNREACHABLE,
    Outcome.OVERDUE: Reach.UNREACHABLE,
}
_NO_ANSWER = (Outcome.SILENT, Outcome.OVERDUE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Probes in a row."""

    failures: int = 3
    """Before a member counts as unreachable, not ready or refusing."""

    successes: int = 2
    """Before one that was not reachable counts as back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """One observer's belief about one member, and the probes in a row that speak against it."""

    belief: Reach = Reach.UNKNOWN
    failures: int = 0
    silences: int = 0
    answers: int = 0
    successes: int = 0

    @property
    def reach(self) -> Reach:
        # An answer that is not a good one is still a sign of life.
        if self.belief is Reach.REACHABLE and self.silences:
            return Reach.SUSPECT
        return self.belief

    @property
    def is_in_doubt(self) -> bool:
        """Whether the next probes may change the belief, so that it is worth looking sooner."""
        if self.belief is Reach.UNREACHABLE:
            return bool(self.answers)
        return self.belief is Reach.REACHABLE and bool(self.failures)

    def after(self, outcome: Outcome, thresholds: Thresholds) -> "Detector":
        """Return the detector after one more probe."""
        reached, silent = outcome is Outcome.REACHED, outcome in _NO_ANSWER
        # Whether it breaks a row is known when the answer comes, or does not.
        overdue = outcome is Outcome.OVERDUE
        counted = Detector(
            belief=self.belief,
            failures=0 if reached else self.failures + 1,
            silences=self.silences + 1 if silent else 0,
            answers=self.answers if overdue else 0 if silent else self.answers + 1,
            successes=self.successes if overdue else self.successes + 1 if reached else 0,
        )
        if counted._sure(outcome, thresholds):
            return replace(counted, belief=_BELIEF[outcome])
        return counted

    def _sure(self, outcome: Outcome, thresholds: Thresholds) -> bool:
        if outcome is Outcome.REACHED:
            # A member never seen before has nothing to come back from.
            return self.belief is Reach.UNKNOWN or self.successes >= thresholds.successes
        if outcome in _NO_ANSWER:
            return self.silences >= thresholds.failures
        if self.belief is Reach.UNREACHABLE:
            return self.answers >= thresholds.successes
        return self.failures >= thresholds.failures

    def given_up(self) -> "Detector":
        """Return the detector after an overdue answer did not come."""
        return replace(self, answers=0, successes=0)


def resumed(reach: Reach) -> Detector:
    """Begin where an earlier observer stood, so that a restart forgives nothing and nobody."""
    known = (Reach.UNREACHABLE, Reach.NOT_READY, Reach.CREDENTIALS_REFUSED, Reach.REACHABLE)
    return Detector(belief=reach if reach in known else Reach.UNKNOWN)
