"""Ordered groups for what is whole in each member: a group takes it where a member has room."""

from collections.abc import Mapping

from services.scheduler.core.affinity import Reach
from services.scheduler.core.claims import Candidates, room_for
from services.scheduler.core.decision import Rejection, RejectionCode
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.workload import Workload

_NO_ROOM = Rejection(RejectionCode.NO_ROOM, "no room for all replicas")
_NOT_NEEDED = Rejection(
    RejectionCode.CLUSTER_AFFINITY, "it is for overflow, and other clusters of its group take it"
)


def narrow_copies(
    workload: Workload, fleet: Fleet, reach: Reach, candidates: Candidates
) -> tuple[Candidates, Mapping[str, Rejection]]:
    """Keep the candidates that have room, and of these the first tier there is.

    Copies do not overflow, so the clusters for overflow stand in where the others cannot take
    any. Where some of it is already, it stays.
    """
    unfit: dict[str, Rejection] = {}
    feasible = []
    demand = workload.demand
    rooms = room_for(workload, fleet) if demand is not None else {}
    for name in candidates.feasible:
        room = rooms.get(name)
        if demand is None or room is None or name in candidates.staying or room >= demand.count:
            feasible.append(name)
        else:
            unfit[name] = _NO_ROOM
    earlier: frozenset[str] = frozenset()
    tiers = []
    for tier in reach.tiers:
        tiers.append(fleet.covered_by(tier) - earlier)
        earlier |= fleet.covered_by(tier)
    for some in (candidates.staying, feasible):
        for within in tiers:
            if any(name in within for name in some):
                names = {*feasible, *candidates.staying}
                unfit |= dict.fromkeys(sorted(names - within), _NOT_NEEDED)
                staying = {name: one for name, one in candidates.staying.items() if name in within}
                return Candidates([name for name in feasible if name in within], staying), unfit
    return Candidates(feasible, candidates.staying), unfit
