"""What HiGHS is told of a set of workloads, and what it answers: whole numbers under rows.

It lets go of the interpreter while it works, and stops by itself when its time is over.
"""

import highspy

from services.scheduler.core.together.problem import Part, Placing, Problem
from shared.apimachinery.manifest import ObjectKey

_GAP = 1e-4
_MOVE = 1e-5
"""What a replica that moves adds, as a part of the dearest: of equal choices one that stays."""

Shares = dict[str, highspy.highs.highs_var]
Expression = highspy.highs.highs_linear_expression


def solve(problem: Problem, seconds: float) -> Placing | None:
    """Return the best that is found in *seconds*; None where nothing is."""
    highs = highspy.Highs()  # type: ignore[no-untyped-call]
    for option, value in (
        ("log_to_console", False),
        ("output_flag", False),
        ("time_limit", seconds),
        ("mip_rel_gap", _GAP),
        ("threads", 1),
    ):
        highs.setOptionValue(option, value)
    shares = {part.key: _shares_of(highs, part) for part in problem.parts}
    growth = {part.key: _growth_of(highs, part, shares[part.key]) for part in problem.parts}
    _fit_into_clusters(highs, problem, growth)
    moves = sum(one for some in growth.values() for one in some.values())
    if problem.objective == "Packing":
        worth = sum(_used(highs, problem, shares)) + _MOVE * moves
    else:
        dearest = max(price for part in problem.parts for price in part.prices.values()) or 1.0
        costs = (
            part.prices[name] * share
            for part in problem.parts
            for name, share in shares[part.key].items()
        )
        worth = sum(costs) + _MOVE * dearest * moves
    highs.minimize(worth)
    if highs.getInfo().primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
        return None
    return {
        key: {name: found for name, one in some.items() if (found := round(highs.val(one)))}
        for key, some in shares.items()
    }


def _shares_of(highs: highspy.Highs, part: Part) -> Shares:
    """Add a share for each cluster, all replicas in sum, over as many groups as there are to be."""
    shares = {name: highs.addIntegral(part.least[name], most) for name, most in part.most.items()}
    highs.addConstr(sum(shares.values()) == part.count)
    for spread in part.spreads:
        groups = []
        for names in spread.groups:
            some, has_any = sum(shares[name] for name in names), highs.addBinary()
            highs.addConstr(some <= part.count * has_any)
            highs.addConstr(some >= has_any)
            groups.append(has_any)
        highs.addConstr(sum(groups) <= spread.most)
        highs.addConstr(sum(groups) >= spread.least)
    return shares


def _growth_of(highs: highspy.Highs, part: Part, shares: Shares) -> Shares:
    """Add what each share is more than it is now: that needs room, and what is less frees none."""
    found = {}
    for name, share in shares.items():
        now = part.now.get(name, 0)
        if not now:
            found[name] = share
            continue
        found[name] = highs.addVariable(0, part.most[name])
        highs.addConstr(found[name] >= share - now)
    return found


def _fit_into_clusters(
    highs: highspy.Highs, problem: Problem, growth: dict[ObjectKey, Shares]
) -> None:
    """Have all that grows in a cluster fit into what is free there, in sum."""
    for cluster, free in problem.free.items():
        asked: dict[str, list[Expression]] = {}
        for part in problem.parts:
            if cluster in growth[part.key]:
                for resource, amount in part.requests:
                    term = (amount / 1e9) * growth[part.key][cluster]
                    asked.setdefault(resource, []).append(term)
        for resource, terms in asked.items():
            highs.addConstr(highs.qsum(terms) <= free.get(resource, 0) / 1e9)


def _used(
    highs: highspy.Highs, problem: Problem, shares: dict[ObjectKey, Shares]
) -> list[highspy.highs.highs_var]:
    """Add for each cluster whether anything of the set is there."""
    found = []
    for cluster in problem.fleet.members:
        parts = [part for part in problem.parts if cluster in shares[part.key]]
        if parts:
            is_used = highs.addBinary()
            for part in parts:
                highs.addConstr(shares[part.key][cluster] <= part.most[cluster] * is_used)
            found.append(is_used)
    return found
