"""How many objects a member may have in hand: as many as it answers without growing slow (pure).

A round is as many answers as the limit allows. A round that was used and no slower than rounds used
to be adds a little; one that was slower takes away in proportion, at most half. Whoever refuses or
is silent gets half. Sources: the limits by gradient of Netflix' concurrency-limits ("Gradient2"),
and additive increase with multiplicative decrease (Chiu and Jain 1989). What rounds used to take is
an average that falls at once and rises slowly: so a member far away, whose answers take long
whatever is asked, gets the most, and one that is merely overrun gets less for as long as that is
news.
"""

from math import sqrt

LEAST = 1
FIRST = 16
"""Where it begins: a member that nobody knows yet."""

SLOWER_ALLOWED = 1.5
"""How much longer a round may take before the limit falls."""

_RISE = 0.005
_SHRINK_MOST = 0.5


class Pace:
    """Of one member; the caller counts and measures."""

    def __init__(self, most: int) -> None:
        assert most >= LEAST
        self._most = most
        self._exact = float(min(FIRST, most))
        # Of the round under way.
        self._answers = 0
        self._seconds = 0.0
        self._in_hand_most = 0
        # What an answer of a round used to take; 0 while unknown.
        self._usual = 0.0

    @property
    def limit(self) -> int:
        """Objects that may be in hand now."""
        return int(self._exact)

    def answered(self, seconds: float, in_hand: int) -> None:
        """An object took *seconds*, while *in_hand* were, itself included."""
        self._answers += 1
        self._seconds += seconds
        self._in_hand_most = max(self._in_hand_most, in_hand)
        if self._answers >= self.limit:
            self._end_round(self._seconds / self._answers)

    def refused(self) -> None:
        """It asked for patience or did not answer: of calls that failed together, tell once."""
        self._exact = max(self._exact / 2, LEAST)
        self._begin_round()

    def _end_round(self, took: float) -> None:
        if not self._usual or took < self._usual:
            self._usual = took
        else:
            self._usual += (took - self._usual) * _RISE
        slower = took > self._usual * SLOWER_ALLOWED
        if slower:
            shrunk = max(self._usual * SLOWER_ALLOWED / took, _SHRINK_MOST)
            self._exact = max(self._exact * shrunk, LEAST)
        elif self._in_hand_most * 2 >= self.limit:
            # Not where nobody asks for more: that it is quick then tells nothing.
            self._exact = min(self._exact + sqrt(self._exact) / 2, self._most)
        self._begin_round()

    def _begin_round(self) -> None:
        self._answers, self._seconds, self._in_hand_most = 0, 0.0, 0
