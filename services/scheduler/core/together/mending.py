"""Making what a solver proposes fit the nodes there are.

To the solver the room of a cluster is a sum, as nodes are too many to tell it of each. So some of
what it proposes may find no node: that goes where there is room for it, as cheap as can be.
"""

from collections.abc import Mapping, Sequence

from services.scheduler.core.planning import after_growth
from services.scheduler.core.room import ask_of
from services.scheduler.core.together.problem import Part, Placing, Problem, Shares
from shared.apimachinery.manifest import ObjectKey


def greatest_first(problem: Problem) -> Sequence[Part]:
    """Return the parts in the order in which they find their nodes best: what is small comes last.

    A replica is as great as the greatest part that it takes of all there is of anything.
    """
    total: dict[str, int] = {}
    for free in problem.free.values():
        for name, amount in free.items():
            total[name] = total.get(name, 0) + amount

    def size(part: Part) -> float:
        return max(amount / max(1, total.get(name, 0)) for name, amount in part.requests)

    return sorted(problem.parts, key=lambda part: (-size(part), str(part.key)))


def mend(problem: Problem, proposed: Placing) -> Placing | None:
    """Return *proposed* with what finds no node elsewhere; None where some of it finds none."""
    fleet, found = problem.fleet, dict[ObjectKey, Shares]()
    for part in greatest_first(problem):
        demand = part.workload.demand
        assert demand is not None, "who takes part has replicas"
        ask, namespace = ask_of(demand), part.workload.key.namespace
        rooms = fleet.room_for(ask, namespace)
        able = {
            name: min(most, part.now.get(name, 0) + (rooms[name] or 0))
            for name, most in part.most.items()
        }
        wished = proposed.get(part.key, {})
        shares = {name: min(share, able.get(name, 0)) for name, share in wished.items()}
        shares = {name: share for name, share in shares.items() if share}
        _pour(part, part.count - sum(shares.values()), shares, able, _in_use(problem, found))
        if sum(shares.values()) != part.count:
            return None
        found[part.key] = shares
        fleet = after_growth(fleet, part.workload, part.now, shares)
    return found


def _in_use(problem: Problem, found: Placing) -> set[str]:
    """Name the clusters that cost nothing more where it is clusters that count."""
    if problem.objective != "Packing":
        return set()
    return {name for shares in found.values() for name in shares}


def _pour(
    part: Part, left: int, shares: dict[str, int], able: Mapping[str, int], in_use: set[str]
) -> None:
    """Add *left* replicas to *shares*, first where they cost least, over no groups too many."""
    order = sorted(
        able,
        key=lambda name: (name not in in_use, part.prices[name], name not in shares, name),
    )
    for name in order:
        more = min(left, able[name] - shares.get(name, 0))
        if more > 0 and (name in shares or _may_join(part, name, shares)):
            shares[name] = shares.get(name, 0) + more
            left -= more


def _may_join(part: Part, name: str, shares: Mapping[str, int]) -> bool:
    return all(
        sum(any(one in shares or one == name for one in group) for group in spread.groups)
        <= spread.most
        for spread in part.spreads
    )
