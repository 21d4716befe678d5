"""Clusters that have what no node of theirs can run: what is placed keeps its place, and says so.

Looked at only where a replica asks for more than cores and memory, for those any node has: devices,
and labels of nodes.
"""

from collections.abc import Iterator
from dataclasses import replace

from services.scheduler.core.decision import Decision, Scheduled, some
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.room import PODS, Ask, Room, ask_of
from services.scheduler.core.workload import Workload

_COMMON = frozenset({"cpu", "memory", "ephemeral-storage", PODS})


def told_unfit(workload: Workload, fleet: Fleet, decision: Decision) -> Decision:
    """Return *decision* with a note on the clusters whose nodes all lack what a replica needs."""
    demand = workload.demand
    if demand is None or not demand.count or not isinstance(decision, Scheduled):
        return decision
    if not demand.nodes.selector and _COMMON.issuperset(demand.requests):
        return decision
    try:
        notes = tuple(_notes(ask_of(demand), fleet, decision))
    except ValueError:
        # What it asks for cannot be read; a member refuses it.
        return decision
    return replace(decision, notes=(*decision.notes, *notes)) if notes else decision


def _notes(ask: Ask, fleet: Fleet, decision: Scheduled) -> Iterator[str]:
    """Yield a clause for each thing that is lacking."""
    lacking: dict[str, list[str]] = {}
    for target in decision.clusters:
        member = fleet.members.get(target.name)
        if target.replicas == 0 or member is None or member.room is None:
            continue
        what = _lacking(ask, member.room)
        if what:
            lacking.setdefault(what, []).append(target.name)
    for what, names in lacking.items():
        yield f"no node of {some(names)} {what}: its pods start nowhere there"


def _lacking(ask: Ask, room: Room) -> str:
    """Say what no node has that such a replica may be bound to; "" where one has all."""
    nodes = room.open_to(ask)
    if not nodes:
        selector = ", ".join(f"{key}={value}" for key, value in ask.nodes.selector)
        return f"has {selector}, and takes it" if selector else ""
    asked = [name for name, _ in ask.requests if name not in _COMMON]
    if any(all(name in node.free for name in asked) for node in nodes):
        return ""
    missing = [name for name in asked if not any(name in node.free for node in nodes)]
    return f"has {', '.join(missing or asked)}"
