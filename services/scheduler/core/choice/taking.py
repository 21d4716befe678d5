"""Taking clusters within chosen groups: all of them, or the best that may be."""

from collections import deque
from collections.abc import Collection, Sequence
from itertools import combinations
from math import comb

from services.scheduler.core.choice.grouping import is_by_cluster
from services.scheduler.core.choice.measure import Candidate, Measure

_SUBSETS_MAX = 1_000
"""Choices of single clusters that are tried within one choice of groups."""


def take(measure: Measure, allowed: Sequence[Candidate]) -> Sequence[Candidate] | None:
    """Choose clusters within chosen groups."""
    if len(allowed) <= measure.most and not (measure.skewed and measure.whole):
        levelled = _without_small_ones(measure, allowed)
        return levelled if measure.holds(levelled) else None
    sizes = range(min(measure.most, len(allowed)), max(measure.least, 1) - 1, -1)
    if not measure.parted:
        # One by one the first are best, unless together they lack room.
        top = allowed[: measure.most]
        capacity = sum(one.capacity for one in top)
        if measure.placeable(top, capacity) >= measure.needed and measure.holds(top):
            return top
    if sum(comb(len(allowed), size) for size in sizes) <= _SUBSETS_MAX:
        every = (some for size in sizes for some in combinations(allowed, size))
        return max(filter(measure.holds, every), key=measure.worth, default=None)
    return _take_step_by_step(measure, allowed)


def _take_step_by_step(
    measure: Measure, allowed: Sequence[Candidate]
) -> Sequence[Candidate] | None:
    """Take the most urgent again and again, then trade some of them for room.

    *allowed* are in order of how well they are liked, so of those in the same groups the first is
    the most urgent: only the first of each sort are compared.
    """
    taken: list[Candidate] = []
    sorts: dict[tuple[str, ...], deque[tuple[int, Candidate]]] = {}
    for place, one in enumerate(allowed):
        groups = tuple(one.groups[number] for number, _ in measure.parted)
        sorts.setdefault(groups, deque()).append((place, one))
    seen: list[set[str]] = [set() for _ in measure.parted]
    skewed = bool(measure.skewed) and measure.whole
    while len(taken) < measure.most and sorts:
        heads = [some[0] for some in sorts.values()]
        if skewed:
            heads = [one for one in heads if measure.levelled([*taken, one[1]])] or heads
        _, best = max(heads, key=lambda one: (_urgency(measure, seen, one[1]), -one[0]))
        groups = tuple(best.groups[number] for number, _ in measure.parted)
        sorts[groups].popleft()
        if not sorts[groups]:
            del sorts[groups]
        taken.append(best)
        for known, group in zip(seen, groups, strict=True):
            known.add(group)
        if skewed and not measure.levelled(taken) and measure.holds(taken[:-1]):
            taken.pop()
            break
    left = sorted((place, one) for some in sorts.values() for place, one in some)
    return _trade(measure, taken, [one for _, one in left])


def _trade(
    measure: Measure, taken: Sequence[Candidate], rest: list[Candidate]
) -> Sequence[Candidate] | None:
    """Put roomier ones in the place of others for as long as room is missing."""
    while rest and sum(one.capacity for one in taken) < measure.needed:
        incoming = max(rest, key=lambda one: one.capacity)
        traded = [[one for one in taken if one is not leaving] + [incoming] for leaving in taken]
        better = [some for some in traded if measure.holds(some)]
        best_trade = max(better, key=measure.worth, default=None)
        if best_trade is None or measure.worth(best_trade) <= measure.worth(taken):
            break
        taken = best_trade
        rest.remove(incoming)
    return taken if measure.holds(taken) else None


def _urgency(measure: Measure, seen: Sequence[Collection[str]], one: Candidate) -> tuple[int, ...]:
    """New groups come first while some are missing, so that the constraints come to hold."""
    missing = fresh = 0
    for (number, constraint), groups in zip(measure.parted, seen, strict=True):
        new = one.groups[number] not in groups
        missing += new and len(groups) < constraint.min_groups
        fresh += new
    return missing, one.kept, one.score, fresh, one.capacity


def _without_small_ones(measure: Measure, allowed: Sequence[Candidate]) -> Sequence[Candidate]:
    """Leave clusters out that are so full that, by the skew, they hold all others down."""
    single = measure.needed and any(is_by_cluster(one) for _, one in measure.skewed)
    if not single or measure.whole:
        return allowed
    least = sorted({one.capacity for one in allowed})
    every = ([one for one in allowed if one.capacity >= room] for room in least)
    return max(filter(measure.holds, every), key=measure.worth, default=allowed)
