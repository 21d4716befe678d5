"""Signals that the room of a member gives: they change with every decision, and wake nobody."""

from collections.abc import Iterable

from services.scheduler.core.fleet import Fleet
from services.scheduler.core.room import NANO, Room
from shared.api.scoring import FREE_CPU, FREE_MEMORY

_GIB = 2**30


def room_values(name: str, fleet: Fleet, clusters: Iterable[str]) -> dict[str, float]:
    """Return signal *name* of those of *clusters* whose room is known."""
    found = {}
    for one in clusters:
        member = fleet.members.get(one)
        if member is not None and member.room is not None:
            found[one] = _value(name, member.room)
    return found


def _value(name: str, room: Room) -> float:
    if name == FREE_CPU:
        return room.free("cpu") / NANO
    if name == FREE_MEMORY:
        return room.free("memory") / (NANO * _GIB)
    return room.nodes_count
