"""What a member must have before the rest: definitions and namespaces go first, others wait."""

from collections.abc import Callable

from services.propagator.core.order import Rank, rank_of
from shared.apimachinery.manifest import ObjectKey


class Foundations:
    """The line before the loop of one member; *wake* lets the loop take an object."""

    def __init__(self, wake: Callable[[ObjectKey], None]) -> None:
        self._wake = wake
        # In hand; whatever arrives meanwhile is parked behind them.
        self._in_hand: set[ObjectKey] = set()
        self._parked: list[ObjectKey] = []
        # Refused or waiting: perhaps for a foundation.
        self._hindered: set[ObjectKey] = set()

    @property
    def parked(self) -> int:
        return len(self._parked)

    def hand_over(self, key: ObjectKey) -> None:
        """Let the loop take *key* once the foundations before it are in place."""
        if is_foundation(key):
            self._in_hand.add(key)
            self._wake(key)
        elif self._in_hand:
            self._parked.append(key)
        else:
            self._wake(key)

    def on_settled(self, key: ObjectKey, obeyed: bool) -> None:  # noqa: FBT001 - a callback.
        """*key* had its turn; whoever waited for it goes on, and tries again if it was refused."""
        if not is_foundation(key):
            (self._hindered.discard if obeyed else self._hindered.add)(key)
            return
        if obeyed:
            hindered, self._hindered = self._hindered, set()
            self._parked += hindered
        self._in_hand.discard(key)
        if not self._in_hand:
            parked, self._parked = self._parked, []
            for one in sorted(parked, key=lambda one: rank_of(one.group, one.resource)):
                self._wake(one)


def is_foundation(key: ObjectKey) -> bool:
    return rank_of(key.group, key.resource) is Rank.FOUNDATION
