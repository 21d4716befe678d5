"""What spread constraints ask of a division: a replica in enough groups, groups of like size."""

from collections.abc import Callable, Collection, Mapping, Sequence

from services.scheduler.core.choice.grouping import group_of
from services.scheduler.core.claims import Claims
from services.scheduler.core.division.leasts import least_shares
from services.scheduler.core.member import Member
from services.scheduler.core.replicas import Bounds, Division, divide
from shared.api.placement import SpreadConstraint

Part = Callable[[int, Sequence[str]], Division]
"""Shares so many replicas among some of the candidates."""

_SIZES_MAX = 64
"""Between so many sizes of the lowest group all are tried."""


def representatives(
    replicas: int,
    constraints: Sequence[SpreadConstraint],
    members: Mapping[str, Member],
    claims: Claims,
    order: Sequence[str],
) -> list[str]:
    """Choose who is to have a replica each, so that every constraint sees its least of groups.

    Those come first that stand for most of what is still wanted, and of these who gets a least
    share anyhow, who has any now, then the heavier. No more than *replicas* are named.
    """
    wanted = {
        number: min(one.min_groups, replicas)
        for number, one in enumerate(constraints)
        if one.min_groups > 0
    }
    if not wanted:
        return []
    able = _able_to_stand(replicas, claims, order)
    groups = {
        name: {number: group_of(constraints[number], members[name]) for number in wanted}
        for name in able
    }
    seen: dict[int, set[str]] = {number: set() for number in wanted}
    chosen: list[str] = []
    while len(chosen) < replicas:
        open_ = [number for number in wanted if len(seen[number]) < wanted[number]]
        best, gain = "", 0
        for name in able:
            fresh = sum(groups[name][number] not in seen[number] for number in open_)
            if fresh > gain:
                best, gain = name, fresh
        if not best:
            break
        chosen.append(best)
        for number, group in groups[best].items():
            seen[number].add(group)
    return chosen


def _able_to_stand(replicas: int, claims: Claims, order: Sequence[str]) -> list[str]:
    """Return who may stand for a group: first those that are served a least share anyhow.

    Who stands for one beside them may take the replica from a least share.
    """
    rank = {name: position for position, name in enumerate(order)}
    able = [
        name
        for name in claims.weights
        if claims.bound(name).most != 0
        and (claims.weights[name] or claims.now.get(name) or claims.bound(name).least)
    ]
    limits = {name: claims.bound(name) for name in able} if claims.bounds else {}
    served = least_shares(replicas, claims, limits, order)
    return sorted(
        able,
        key=lambda name: (
            not served.get(name),
            not claims.now.get(name),
            -claims.weights[name],
            rank[name],
        ),
    )


def divide_level(
    replicas: int,
    claims: Claims,
    groups: Mapping[str, Sequence[str]],
    skew: int,
    part: Part,
    *,
    sticky: bool,
    first: Collection[str] = (),
) -> Division:
    """Divide by *part* within groups whose totals differ by *skew* at most.

    The totals follow the groups' weights as far as the skew allows; *sticky*: from what there is
    now, with the fewest moves. Each of *first* is to have a replica where that can be.
    """
    level = _Level(claims, groups, first)
    lowest = min((high for high in level.most.values() if high is not None), default=replicas)
    # Where the smallest group is full no other can hold more than the skew beyond it.
    placeable = sum(min(_or(high, replicas), lowest + skew) for high in level.most.values())
    placed = min(replicas, placeable)
    totals = level.totals(placed, skew, lowest, sticky=sticky)
    if totals is None:
        totals = _Level(claims, groups).totals(placed, skew, lowest, sticky=False)
    assert totals is not None, "what can be placed has a way to be"
    parts = [part(totals[name], names) for name, names in groups.items()]
    shares = {name: share for one in parts for name, share in one.shares.items()}
    return Division(shares, replicas - placed + sum(one.unplaced for one in parts))


def _or(value: int | None, other: int) -> int:
    return other if value is None else value


class _Level:
    """Groups as if each were one candidate."""

    def __init__(
        self, claims: Claims, groups: Mapping[str, Collection[str]], first: Collection[str] = ()
    ) -> None:
        self._order = sorted(groups)
        self._least = {
            group: sum(name in first for name in names) for group, names in groups.items()
        }
        self.now, self.weights, self.most = {}, {}, {}
        for group, names in groups.items():
            self.now[group] = sum(claims.now.get(name, 0) for name in names)
            self.weights[group] = sum(claims.weights[name] for name in names)
            limits = [claims.bound(name).most for name in names]
            known = [high for high in limits if high is not None]
            self.most[group] = sum(known) if len(known) == len(limits) else None

    def totals(
        self, replicas: int, skew: int, smallest: int, *, sticky: bool
    ) -> dict[str, int] | None:
        """Try the sizes that the lowest group may have: all, or of very many nearer and nearer.

        What a size is worth only rises up to the best one and then falls, so that the best lies
        beside the best of those between which as many are left out.
        """
        mean = replicas // len(self.now)
        first, last = max(0, min(mean - skew, smallest)), min(mean, smallest)
        while True:
            step = max(1, (last - first) // _SIZES_MAX)
            sizes = {*range(first, last + 1, step), last}
            tried = []
            for lowest in sorted(sizes):
                totals = self._between(replicas, lowest, lowest + skew, sticky=sticky)
                if totals is not None:
                    moved = sum(abs(totals[name] - self.now[name]) for name in totals)
                    worth = (moved if sticky else 0, min(totals.values()) != lowest, lowest)
                    tried.append((worth, totals))
            if not tried:
                return None
            worth, best = min(tried, key=lambda one: one[0])
            if step == 1:
                return best
            first, last = max(first, worth[2] - step), min(last, worth[2] + step)

    def _between(
        self, replicas: int, lowest: int, highest: int, *, sticky: bool
    ) -> dict[str, int] | None:
        growing = sum(self.now.values()) <= replicas
        bounds = {}
        for name in self._order:
            most = min(highest, _or(self.most[name], highest))
            least = min(max(lowest, self._least[name]), most)
            if sticky and growing:
                least = max(least, min(self.now[name], most))
            elif sticky:
                most = max(least, min(most, self.now[name]))
            bounds[name] = Bounds(least, most)
        if sum(one.least for one in bounds.values()) > replicas:
            return None
        # A group without free room weighs a little too: the skew may ask for it.
        weights = {name: self.weights[name] or 1 for name in self._order}
        division = divide(replicas, weights, bounds, tie_break=self._order, near=self.now)
        if division.unplaced:
            return None
        return {name: division.shares.get(name, 0) for name in self._order}
