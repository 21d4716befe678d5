"""Every choice of groups worth looking at, with what it can be worth at most.

Where there are too many to list them all, only the most valuable groups of a constraint are
combined.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations, product
from math import comb
from typing import NamedTuple

from services.scheduler.core.choice.measure import Candidate, Measure, Worth

WORK_MAX = 20_000
"""Choices of groups that are listed, times the sorts of clusters that each is weighed by; choices
that are looked at, times the clusters there are."""


def group_choices(
    measure: Measure, candidates: Sequence[Candidate]
) -> list[tuple[Worth, tuple[frozenset[str], ...]]]:
    """Every choice of groups with the most it can be worth, the most promising first."""
    sorts: dict[tuple[str, ...], list[Candidate]] = {}
    for one in candidates:
        sorts.setdefault(tuple(one.groups[number] for number, _ in measure.parted), []).append(one)
    sums = {groups: _sum(some, measure.bits) for groups, some in sorts.items()}
    # What so many clusters as may be chosen are worth at most.
    greatest = [
        sum(sorted(values, reverse=True)[: measure.most])
        for values in (
            [one.capacity for one in candidates],
            [one.kept for one in candidates],
            [one.score for one in candidates],
        )
    ]
    options = _options(measure, sums)
    found = []
    for chosen in product(*options):
        if len(chosen) == 1:
            within: list[tuple[str, ...]] = [(group,) for group in chosen[0]]
        else:
            within = [
                groups
                for groups in sums
                if all(one in some for one, some in zip(groups, chosen, strict=True))
            ]
        if within:
            found.append((_bound(measure, greatest, within, sums), chosen))
    found.sort(key=lambda one: one[0], reverse=True)
    return found


def _options(
    measure: Measure, sums: Mapping[tuple[str, ...], "_Sum"]
) -> list[list[frozenset[str]]]:
    """For each constraint the sets of groups that may be chosen, within the work allowed."""
    listed: list[list[str]] = []
    sizes: list[list[int]] = []
    for place, (_, constraint) in enumerate(measure.parted):
        groups: dict[str, _Sum] = {}
        for names, one in sums.items():
            groups[names[place]] = groups.get(names[place], _Sum()).beside(one)
        listed.append(sorted(groups, key=lambda name: groups[name].value, reverse=True))
        most = min(constraint.max_groups or len(groups), len(groups))
        # A greater choice is never worse, unless its smallest group sets the size of all.
        least = max(constraint.min_groups, 1) if constraint.max_skew else most
        sizes.append(list(range(least, most + 1)))
    counts = [len(groups) for groups in listed]
    allowed = max(16, WORK_MAX // max(1, len(sums)))
    while _number(counts, sizes) > allowed:
        widest = max(
            (place for place in range(len(counts)) if counts[place] > max(sizes[place])),
            key=lambda place: comb(counts[place], max(sizes[place])),
            default=None,
        )
        if widest is None:
            sizes = [[max(some)] for some in sizes]
            break
        counts[widest] -= 1
    return [
        [frozenset(some) for size in wanted for some in combinations(groups[:count], size)]
        for groups, wanted, count in zip(listed, sizes, counts, strict=True)
    ]


def _bound(
    measure: Measure,
    greatest: Sequence[int],
    within: Sequence[tuple[str, ...]],
    sums: Mapping[tuple[str, ...], "_Sum"],
) -> Worth:
    capacity = kept = score = count = order = 0
    for groups in within:
        one = sums[groups]
        capacity += one.capacity
        kept += one.kept
        score += one.score
        count += one.clusters
        order += one.bits
    if len(measure.parted) == 1:
        spread = len(within)
    else:
        spread = sum(
            len({groups[place] for groups in within}) for place in range(len(measure.parted))
        )
    most_capacity, most_kept, most_score = greatest
    capacity = min(capacity, most_capacity)
    return (
        min(capacity, measure.needed),
        min(kept, most_kept),
        min(score, most_score),
        spread,
        min(count, measure.most),
        capacity,
        order,
    )


class _Sum(NamedTuple):
    """What clusters are worth together."""

    capacity: int = 0
    kept: int = 0
    score: int = 0
    clusters: int = 0
    bits: int = 0

    def beside(self, other: "_Sum") -> "_Sum":
        return _Sum(
            self.capacity + other.capacity,
            self.kept + other.kept,
            self.score + other.score,
            self.clusters + other.clusters,
            self.bits + other.bits,
        )

    @property
    def value(self) -> Worth:
        return self.kept, self.score, self.capacity, self.clusters, self.bits


def _sum(some: Sequence[Candidate], bits: Mapping[str, int]) -> _Sum:
    capacity = kept = score = order = 0
    for one in some:
        capacity += one.capacity
        kept += one.kept
        score += one.score
        order |= bits[one.name]
    return _Sum(capacity, kept, score, len(some), order)


def _number(counts: Sequence[int], sizes: Sequence[Sequence[int]]) -> int:
    number = 1
    for count, wanted in zip(counts, sizes, strict=True):
        number *= sum(comb(count, size) for size in wanted)
    return number
