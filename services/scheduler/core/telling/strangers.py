"""Telling that a policy names clusters that are none: a name mistyped is silent otherwise."""

from dataclasses import replace

from services.scheduler.core.decision import Decision, some
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.workload import Workload


def told_strangers(workload: Workload, fleet: Fleet, decision: Decision) -> Decision:
    """Note on *decision* which clusters of the policy's affinities the fleet does not have."""
    named = {name for one in workload.placement.affinities for name in one.cluster_names}
    strangers = sorted(name for name in named if name not in fleet.members)
    if not strangers:
        return decision
    note = f"its policy names {some(strangers)}: no such cluster"
    return replace(decision, notes=(*decision.notes, note))
