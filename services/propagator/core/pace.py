"""How many objects a member may have in hand: more while that gets more done (pure).

A round is four answers for each object that may be in hand. What a round gets done follows from
Little's law: objects in hand by seconds each. Now and then there is a trial with half as much
again; unless clearly more gets done, it is taken back. So a member far away, whose answers take
long whatever is asked, gets the most, and one with a single hand keeps what it has: more would only
wait. A round whose answers take longer than Kubernetes promises (a second for a call that writes,
its service level objective), and much longer than they used to, takes away in proportion. Whoever
asks for patience gets half, and one more after each round until it is where it began (additive
increase, multiplicative decrease: Chiu and Jain 1989). Whoever is silent gets one at a time, and
when it answers twice as many after each round, up to half of what it had before (slow start:
Jacobson 1988). Hill climbing by throughput and latency is that of Netflix' concurrency-limits.
"""

from dataclasses import dataclass

LEAST = 1
FIRST = 16
"""Where it begins: a member that nobody knows yet."""

PROMISED_SECONDS = 1.0
SLOWER_ALLOWED = 2.0
"""How much longer than usual a slow round may take before the limit falls."""

_ANSWERS = 4
_USED = 0.75
_TRIAL = 1.5
# Of what a trial adds, so much must show in what gets done.
_WORTH = 0.3
# Rounds after a trial that was in vain.
_REST = 30
_HABIT = 0.1
_SHRINK_MOST = 0.5


@dataclass(frozen=True, slots=True)
class _Trial:
    limit: float
    """Before it."""
    done: float
    """Objects a second then."""


class Pace:
    """Of one member; the caller counts and measures."""

    def __init__(self, most: int) -> None:
        assert most >= LEAST
        self._most = most
        self._exact = float(min(FIRST, most))
        # Of the round under way.
        self._answers = 0
        self._seconds = 0.0
        self._in_hand = 0
        # What an answer used to take in rounds that were used; 0 while unknown.
        self._usual = 0.0
        self._trial: _Trial | None = None
        self._rest = 0
        # What a member that was silent may soon have again.
        self._resumed = 0.0

    @property
    def limit(self) -> int:
        """Objects that may be in hand now."""
        return int(self._exact)

    def answered(self, seconds: float, in_hand: int) -> None:
        """An object took *seconds*, while *in_hand* were, itself included."""
        self._answers += 1
        self._seconds += seconds
        self._in_hand += in_hand
        if self._answers >= _ANSWERS * self.limit:
            took, busy = self._seconds / self._answers, self._in_hand / self._answers
            self._begin_round()
            # Not where nobody asks for more: that it is quick then tells nothing.
            if busy >= self.limit * _USED:
                self._judge(max(took, 1e-6), busy)

    def refused(self) -> None:
        """It asked for patience: of calls that failed together, tell once."""
        self._exact = self._resumed = max(self._exact / 2, LEAST)
        self._trial = None
        self._begin_round()

    def unanswered(self) -> None:
        """It did not answer: of calls that failed together, tell once."""
        if self._exact > LEAST:
            self._resumed = self._exact / 2
        self._exact = float(LEAST)
        self._trial = None
        self._begin_round()

    def _judge(self, took: float, busy: float) -> None:
        """Set the limit by a round in which *busy* objects were in hand, for *took* seconds."""
        self._usual = self._usual or took
        bearable = max(self._usual * SLOWER_ALLOWED, PROMISED_SECONDS)
        self._usual += (took - self._usual) * _HABIT
        trial, self._trial = self._trial, None
        if took > bearable:
            self._exact = max(self._exact * max(bearable / took, _SHRINK_MOST), LEAST)
            self._resumed = self._exact
        elif trial is not None:
            wanted = 1 + _WORTH * (self._exact / trial.limit - 1)
            if busy / took < trial.done * wanted:
                self._exact, self._rest = trial.limit, _REST
        elif self._exact < self._resumed:
            self._exact = min(self._exact * 2, self._resumed)
        elif self._exact < min(FIRST, self._most):
            self._exact = min(self._exact + 1, FIRST, self._most)
        elif self._rest:
            self._rest -= 1
        elif self._exact < self._most:
            self._trial = _Trial(self._exact, busy / took)
            self._exact = min(self._exact * _TRIAL, self._most)

    def _begin_round(self) -> None:
        self._answers, self._seconds, self._in_hand = 0, 0.0, 0
