"""What a choice of clusters must hold, and what it is worth.

Of all choices that hold, the best is the one that, in this order,

1. has room for the most of the replicas asked for (where room counts),
2. keeps the most of what runs,
3. is liked most (the sum of the scores),
4. is spread over the most groups, and then over the most clusters,
5. has the most room,
6. comes first in the workload's own order of clusters.

Each of these can only grow with a choice.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from services.scheduler.core.choice.grouping import is_by_cluster
from shared.api.placement import SpreadConstraint

Worth = tuple[int, ...]

FEW = 12
STEPS_OF_MANY = 5
"""Among more than `FEW` a little more room or another order is not worth a search."""


class Candidate(NamedTuple):
    """A cluster that may be chosen; `capacity` is 0 where room does not count."""

    name: str
    groups: tuple[str, ...] = ()
    capacity: int = 0
    kept: int = 0
    score: int = 0


def parted(constraints: Sequence[SpreadConstraint]) -> list[tuple[int, SpreadConstraint]]:
    """Return those by anything but single clusters, each with its place."""
    return [(number, one) for number, one in enumerate(constraints) if not is_by_cluster(one)]


def most_clusters(constraints: Sequence[SpreadConstraint], number: int) -> int:
    """How many of *number* clusters may be chosen."""
    mosts = [one.max_groups for one in constraints if is_by_cluster(one) and one.max_groups]
    return min(number, *mosts) if mosts else number


class Measure:
    """The constraints over *candidates*, which come in the workload's own order.

    `most` and `least` say how many clusters there may be. `parted` are the constraints by anything
    but single clusters, `skewed` those with a skew, each with its place in a candidate's groups.
    """

    def __init__(
        self,
        candidates: Sequence[Candidate],
        constraints: Sequence[SpreadConstraint],
        needed: int,
        *,
        whole: bool,
    ) -> None:
        self.needed = needed
        self.whole = whole
        self.bits = {one.name: 1 << place for place, one in enumerate(reversed(candidates))}
        self.most = most_clusters(constraints, len(candidates))
        by_cluster = filter(is_by_cluster, constraints)
        self.least = max((one.min_groups for one in by_cluster), default=0)
        self.parted = parted(constraints)
        self.skewed = [(number, one) for number, one in enumerate(constraints) if one.max_skew]

    def within(
        self, candidates: Sequence[Candidate], chosen: Sequence[frozenset[str]]
    ) -> list[Candidate]:
        """Return those that are in the groups that were chosen for each of `parted`."""
        found = list(candidates)
        for (number, _), groups in zip(self.parted, chosen, strict=True):
            found = [one for one in found if one.groups[number] in groups]
        return found

    def holds(self, taken: Sequence[Candidate]) -> bool:
        if not taken or not self.least <= len(taken) <= self.most:
            return False
        for number, constraint in self.parted:
            groups = len({one.groups[number] for one in taken})
            if groups < constraint.min_groups or 0 < constraint.max_groups < groups:
                return False
        return self.levelled(taken)

    def levelled(self, taken: Sequence[Candidate]) -> bool:
        if not self.whole:
            return True
        for number, constraint in self.skewed:
            sizes = Counter(one.groups[number] for one in taken).values()
            if max(sizes) - min(sizes) > constraint.max_skew:
                return False
        return True

    def worth(self, taken: Sequence[Candidate]) -> Worth:
        capacity = sum(one.capacity for one in taken)
        return (
            min(self.placeable(taken, capacity), self.needed),
            sum(one.kept for one in taken),
            sum(one.score for one in taken),
            sum(len({one.groups[number] for one in taken}) for number, _ in self.parted),
            len(taken),
            capacity,
            sum(self.bits[one.name] for one in taken),
        )

    def placeable(self, taken: Sequence[Candidate], capacity: int) -> int:
        """Return how much room there is when no group may exceed the smallest by the skew."""
        if self.whole or not self.needed:
            return capacity
        for number, constraint in self.skewed:
            rooms: Counter[str] = Counter()
            for one in taken:
                rooms[one.groups[number]] += one.capacity
            highest = min(rooms.values()) + constraint.max_skew
            capacity = min(capacity, sum(min(room, highest) for room in rooms.values()))
        return capacity
