"""Restraint: moves that nothing forces wait for their turn, and for the fleet to come to rest.

A cluster that joins, or returns, draws replicas from all others at once. Nothing is wrong where
they are, so they need not come all at the same time, nor while clusters come and go.
"""

from dataclasses import dataclass
from datetime import timedelta

from services.scheduler.core.decision import RejectionCode
from services.scheduler.core.fleet import Fleet
from shared.api.binding import BindingSpec

# Why a share leaves though it could stay as well.
UNFORCED = frozenset(
    {RejectionCode.SPREAD_CONSTRAINT, RejectionCode.NO_REPLICA_LEFT, RejectionCode.NO_WEIGHT}
)


@dataclass(frozen=True, slots=True)
class Restraint:
    """`moves_max` workloads may move at once, 0: any number; after so long a rest of the fleet."""

    moves_max: int = 0
    rest: timedelta = timedelta(0)

    def why_to_wait(self, moving: int, rested: timedelta) -> str:
        """Say in a clause why no move may begin now; "" where one may."""
        if self.moves_max and moving >= self.moves_max:
            return f"{moving} workloads move already"
        if rested < self.rest:
            return f"the clusters changed {int(rested.total_seconds())} seconds ago"
        return ""


def is_moving(spec: BindingSpec) -> bool:
    """Whether a share of it is on its way from one cluster to another."""
    return bool(spec.evictions) or any(target.since for target in spec.clusters)


def is_unforced_move(before: BindingSpec, after: BindingSpec, fleet: Fleet) -> bool:
    """Whether *after* begins to move what runs well where it is by the word of nobody.

    What a user asks for anew, and what is missing anywhere, is no such move; one that has begun
    goes on.
    """
    same = (before.resource, before.policy, before.required_by)
    if same != (after.resource, after.policy, after.required_by) or is_moving(before):
        return False
    if before.ceilings != after.ceilings:
        # Pods find no node, or give way.
        return False
    if before.reschedule_triggered_at != after.reschedule_triggered_at:
        return False
    if any(not fleet.holds(target.name) for target in before.clusters):
        return False
    if any(one.reason not in UNFORCED for one in after.evictions):
        return False
    if after.evictions:
        return True
    if before.replicas is None or any(target.replicas is None for target in before.clusters):
        # One copy more takes nothing from the others.
        return False
    placed = {target.name: target.replicas or 0 for target in before.clusters}
    wished = {target.name: target.replicas or 0 for target in after.clusters}
    return sum(placed.values()) >= before.replicas and placed != wished
