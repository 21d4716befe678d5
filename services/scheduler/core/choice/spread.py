"""Choosing clusters so that every spread constraint holds: the best choice there is, not the first.

Of all choices that hold, the best is the one that, in this order,

1. has room for the most of the replicas asked for (where room counts),
2. keeps the most of what runs,
3. is liked most (the sum of the scores),
4. is spread over the most groups, and then over the most clusters,
5. has the most room,
6. comes first in the workload's own order of clusters.

Each of these can only grow with a choice. So it is enough to choose groups: a choice of groups is
worth at most what all its clusters are worth together, and choices are looked at from the most
promising on until none can be better than the best found. Where there are too many to list them
all, only the most valuable groups of a constraint are combined.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, product
from math import comb

from services.scheduler.core.member import Member
from shared.api.placement import SpreadConstraint

_WORK_MAX = 20_000
"""Choices of groups that are listed, times the sorts of clusters that each is weighed by; choices
that are looked at, times the clusters there are."""

_FEW = 12
_STEPS_OF_MANY = 5
_SUBSETS_MAX = 1_000
"""Choices of single clusters that are tried within one choice of groups."""

_CLUSTER = "cluster"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A cluster that may be chosen; `capacity` is 0 where room does not count."""

    name: str
    groups: tuple[str, ...] = ()
    capacity: int = 0
    kept: int = 0
    score: int = 0


@dataclass(frozen=True, slots=True)
class Selection:
    """Who is chosen, and why others are not; `unmet` says which constraint cannot hold."""

    names: Sequence[str]
    ungrouped: Mapping[str, str] = field(default_factory=dict)
    left_out: Sequence[str] = ()
    unmet: str = ""


def group_of(constraint: SpreadConstraint, member: Member) -> str:
    """Return the group of the constraint that *member* is in; "" where it names none."""
    if constraint.spread_by_label:
        return member.labels.get(constraint.spread_by_label, "")
    if constraint.spread_by_field in ("", _CLUSTER):
        return member.name
    return member.place.get(constraint.spread_by_field, "")


def what_it_spreads_by(constraint: SpreadConstraint) -> str:
    if constraint.spread_by_label:
        return f"label {constraint.spread_by_label}"
    return constraint.spread_by_field or _CLUSTER


def select(
    candidates: Sequence[Candidate],
    constraints: Sequence[SpreadConstraint],
    *,
    needed: int = 0,
    whole: bool = False,
) -> Selection:
    """Choose among *candidates*, which come in the workload's own order.

    *needed* replicas are to find room; 0 where room does not count. *whole*: each cluster chosen
    counts as one for `maxSkew`; otherwise it is the division that sees to it.
    """
    ungrouped = {
        one.name: what_it_spreads_by(constraint)
        for one in candidates
        for constraint, group in zip(reversed(constraints), reversed(one.groups), strict=True)
        if not group
    }
    able = [one for one in candidates if one.name not in ungrouped]
    for number, constraint in enumerate(constraints):
        there = len({one.groups[number] for one in able})
        if there < max(constraint.min_groups, 1):
            what = what_it_spreads_by(constraint)
            unmet = f"spread by {what} asks for {max(constraint.min_groups, 1)} groups, {there} fit"
            return Selection((), ungrouped, (), unmet)
    best = _Search(able, constraints, needed, whole=whole).best()
    if best is None:
        return Selection((), ungrouped, (), "no choice of clusters meets all spread constraints")
    chosen = {one.name for one in best}
    return Selection(
        [one.name for one in able if one.name in chosen],
        ungrouped,
        [one.name for one in able if one.name not in chosen],
    )


_Worth = tuple[int, ...]


class _Search:
    def __init__(
        self,
        candidates: Sequence[Candidate],
        constraints: Sequence[SpreadConstraint],
        needed: int,
        *,
        whole: bool,
    ) -> None:
        self._needed = needed
        self._whole = whole
        self._bits = {one.name: 1 << place for place, one in enumerate(reversed(candidates))}
        self._sorted = sorted(candidates, key=lambda one: (-one.kept, -one.score, -one.capacity))
        singles = [is_by_cluster(one) for one in constraints]
        mosts = [one.max_groups for one, single in zip(constraints, singles, strict=True) if single]
        self._most = min((most for most in mosts if most), default=len(candidates))
        self._least = max(
            (one.min_groups for one, single in zip(constraints, singles, strict=True) if single),
            default=0,
        )
        # What so many clusters as may be chosen are worth at most.
        self._greatest = [
            sum(sorted(values, reverse=True)[: self._most])
            for values in (
                [one.capacity for one in candidates],
                [one.kept for one in candidates],
                [one.score for one in candidates],
            )
        ]
        # Among many, a little more room or another order is not worth the search.
        self._steps = None if len(candidates) <= _FEW else _STEPS_OF_MANY
        # Constraints by anything but single clusters, with their place in a candidate's groups.
        self._parted = [
            (number, one) for number, one in enumerate(constraints) if not singles[number]
        ]
        self._skewed = [(number, one) for number, one in enumerate(constraints) if one.max_skew]

    def best(self) -> Sequence[Candidate] | None:
        """Return the best choice; None where there is none."""
        found: Sequence[Candidate] | None = None
        worth: _Worth = ()
        most = max(3, _WORK_MAX // len(self._sorted))
        for looked_at, (bound, chosen) in enumerate(self._choices()):
            if looked_at >= most or (
                found is not None and bound[: self._steps] <= worth[: self._steps]
            ):
                break
            allowed = [one for one in self._sorted if self._is_in(one, chosen)]
            taken = self._take(allowed)
            if taken is not None and (found is None or self._worth(taken) > worth):
                found, worth = taken, self._worth(taken)
        return found

    def _is_in(self, one: Candidate, chosen: Sequence[frozenset[str]]) -> bool:
        return all(
            one.groups[number] in groups
            for (number, _), groups in zip(self._parted, chosen, strict=True)
        )

    # Groups.

    def _choices(self) -> list[tuple[_Worth, tuple[frozenset[str], ...]]]:
        """Every choice of groups with the most it can be worth, the most promising first."""
        sorts: dict[tuple[str, ...], list[Candidate]] = {}
        for one in self._sorted:
            sorts.setdefault(tuple(one.groups[number] for number, _ in self._parted), []).append(
                one
            )
        sums = {groups: _sum(some, self._bits) for groups, some in sorts.items()}
        options = self._options(sums)
        found = []
        for chosen in product(*options):
            within = [
                groups
                for groups in sums
                if all(one in some for one, some in zip(groups, chosen, strict=True))
            ]
            if within:
                found.append((self._bound(within, sums), chosen))
        found.sort(key=lambda one: one[0], reverse=True)
        return found

    def _options(self, sums: Mapping[tuple[str, ...], "_Sum"]) -> list[list[frozenset[str]]]:
        """For each constraint the sets of groups that may be chosen, within the work allowed."""
        listed: list[list[str]] = []
        sizes: list[list[int]] = []
        for place, (_, constraint) in enumerate(self._parted):
            groups: dict[str, _Sum] = {}
            for names, one in sums.items():
                groups[names[place]] = groups.get(names[place], _Sum()) + one
            listed.append(sorted(groups, key=lambda name: groups[name].value, reverse=True))
            most = min(constraint.max_groups or len(groups), len(groups))
            # A greater choice is never worse, unless its smallest group sets the size of all.
            least = max(constraint.min_groups, 1) if constraint.max_skew else most
            sizes.append(list(range(least, most + 1)))
        counts = [len(groups) for groups in listed]
        allowed = max(16, _WORK_MAX // max(1, len(sums)))
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
        self, within: Sequence[tuple[str, ...]], sums: Mapping[tuple[str, ...], "_Sum"]
    ) -> _Worth:
        total = _Sum()
        for groups in within:
            total = total + sums[groups]
        spread = sum(
            len({groups[place] for groups in within}) for place in range(len(self._parted))
        )
        capacity, kept, score = (
            min(found, most)
            for found, most in zip(
                (total.capacity, total.kept, total.score), self._greatest, strict=True
            )
        )
        return (
            min(capacity, self._needed),
            kept,
            score,
            spread,
            min(total.count, self._most),
            capacity,
            total.bits,
        )

    # Clusters.

    def _take(self, allowed: Sequence[Candidate]) -> Sequence[Candidate] | None:
        """Choose clusters within chosen groups."""
        if len(allowed) <= self._most and not (self._skewed and self._whole):
            levelled = self._without_small_ones(allowed)
            return levelled if self._holds(levelled) else None
        sizes = range(min(self._most, len(allowed)), max(self._least, 1) - 1, -1)
        if not self._parted:
            # One by one the first are best, unless together they lack room.
            top = allowed[: self._most]
            capacity = sum(one.capacity for one in top)
            if self._placeable(top, capacity) >= self._needed and self._holds(top):
                return top
        if sum(comb(len(allowed), size) for size in sizes) <= _SUBSETS_MAX:
            every = (some for size in sizes for some in combinations(allowed, size))
            return max(filter(self._holds, every), key=self._worth, default=None)
        return self._take_step_by_step(allowed)

    def _take_step_by_step(self, allowed: Sequence[Candidate]) -> Sequence[Candidate] | None:
        """Take the most urgent again and again, then trade some of them for room."""
        taken: list[Candidate] = []
        rest = list(allowed)
        skewed = bool(self._skewed) and self._whole
        while len(taken) < self._most and rest:
            able = [one for one in rest if self._levelled([*taken, one])] if skewed else rest
            seen = [{one.groups[number] for one in taken} for number, _ in self._parted]
            best = max(able or rest, key=lambda one: self._urgency(seen, one))
            taken.append(best)
            rest.remove(best)
            if skewed and not self._levelled(taken) and self._holds(taken[:-1]):
                taken.pop()
                break
        while rest and sum(one.capacity for one in taken) < self._needed:
            incoming = max(rest, key=lambda one: one.capacity)
            traded = [
                [one for one in taken if one is not leaving] + [incoming] for leaving in taken
            ]
            better = [some for some in traded if self._holds(some)]
            best_trade = max(better, key=self._worth, default=None)
            if best_trade is None or self._worth(best_trade) <= self._worth(taken):
                break
            taken = best_trade
            rest.remove(incoming)
        return taken if self._holds(taken) else None

    def _urgency(self, seen: Sequence[Collection[str]], one: Candidate) -> tuple[int, ...]:
        """New groups come first while some are missing, so that the constraints come to hold."""
        missing = fresh = 0
        for (number, constraint), groups in zip(self._parted, seen, strict=True):
            new = one.groups[number] not in groups
            missing += new and len(groups) < constraint.min_groups
            fresh += new
        return missing, one.kept, one.score, fresh, one.capacity

    def _without_small_ones(self, allowed: Sequence[Candidate]) -> Sequence[Candidate]:
        """Leave clusters out that are so full that, by the skew, they hold all others down."""
        single = self._needed and any(is_by_cluster(one) for _, one in self._skewed)
        if not single or self._whole:
            return allowed
        least = sorted({one.capacity for one in allowed})
        every = ([one for one in allowed if one.capacity >= room] for room in least)
        return max(filter(self._holds, every), key=self._worth, default=allowed)

    def _holds(self, taken: Sequence[Candidate]) -> bool:
        if not taken or not self._least <= len(taken) <= self._most:
            return False
        for number, constraint in self._parted:
            groups = len({one.groups[number] for one in taken})
            if groups < constraint.min_groups or 0 < constraint.max_groups < groups:
                return False
        return self._levelled(taken)

    def _levelled(self, taken: Sequence[Candidate]) -> bool:
        if not self._whole:
            return True
        for number, constraint in self._skewed:
            sizes = Counter(one.groups[number] for one in taken).values()
            if max(sizes) - min(sizes) > constraint.max_skew:
                return False
        return True

    def _worth(self, taken: Sequence[Candidate]) -> _Worth:
        capacity = sum(one.capacity for one in taken)
        return (
            min(self._placeable(taken, capacity), self._needed),
            sum(one.kept for one in taken),
            sum(one.score for one in taken),
            sum(len({one.groups[number] for one in taken}) for number, _ in self._parted),
            len(taken),
            capacity,
            sum(self._bits[one.name] for one in taken),
        )

    def _placeable(self, taken: Sequence[Candidate], capacity: int) -> int:
        """Return how much room there is when no group may exceed the smallest by the skew."""
        if self._whole or not self._needed:
            return capacity
        for number, constraint in self._skewed:
            rooms: Counter[str] = Counter()
            for one in taken:
                rooms[one.groups[number]] += one.capacity
            highest = min(rooms.values()) + constraint.max_skew
            capacity = min(capacity, sum(min(room, highest) for room in rooms.values()))
        return capacity


def is_by_cluster(constraint: SpreadConstraint) -> bool:
    return not constraint.spread_by_label and constraint.spread_by_field in ("", _CLUSTER)


@dataclass(frozen=True, slots=True)
class _Sum:
    """What clusters are worth together."""

    capacity: int = 0
    kept: int = 0
    score: int = 0
    count: int = 0
    bits: int = 0

    def __add__(self, other: "_Sum") -> "_Sum":
        return _Sum(
            self.capacity + other.capacity,
            self.kept + other.kept,
            self.score + other.score,
            self.count + other.count,
            self.bits + other.bits,
        )

    @property
    def value(self) -> _Worth:
        return self.kept, self.score, self.capacity, self.count, self.bits


def _sum(some: Sequence[Candidate], bits: Mapping[str, int]) -> _Sum:
    return _Sum(
        sum(one.capacity for one in some),
        sum(one.kept for one in some),
        sum(one.score for one in some),
        len(some),
        sum(bits[one.name] for one in some),
    )


def _number(counts: Sequence[int], sizes: Sequence[Sequence[int]]) -> int:
    number = 1
    for count, wanted in zip(counts, sizes, strict=True):
        number *= sum(comb(count, size) for size in wanted)
    return number
