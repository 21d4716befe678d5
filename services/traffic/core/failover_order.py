"""Whose turn it is in a failover order: down at once, up again only after a while of being well.

Without the damping a group that comes and goes would take the traffic with it each time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.traffic.core.places import Place
from shared.api.traffic_policy import FailoverState
from shared.clock import format_micro_time, parse_time


@dataclass(frozen=True, slots=True)
class Turn:
    """The state as it is to be recorded, and when that may change though nothing happens."""

    state: FailoverState
    wake_after: timedelta | None = None


def is_well(group: Sequence[Place], min_ready_percent: int) -> bool:
    """Whether enough of its wanted replicas are ready, where traffic can reach them.

    A cluster that is drained is none of the group; one that is not reachable has nothing ready.
    """
    members = [one for one in group if not one.drained]
    ready = sum(one.ready for one in members if one.alive)
    wanted = sum(max(one.ready, one.wanted) for one in members)
    return ready > 0 and ready * 100 >= wanted * min_ready_percent


def take_turn(
    state: FailoverState | None, well: Sequence[bool], return_after: timedelta, now: datetime
) -> Turn:
    """*well*: how each group is, in order. Where none is well the turn stays where it is."""
    stamp = format_micro_time(now)
    if state is None or not 0 <= state.active < len(well):
        first = next((number for number, fine in enumerate(well) if fine), 0)
        return Turn(FailoverState(active=first, since=stamp))
    if not well[state.active]:
        first = next((number for number, fine in enumerate(well) if fine), state.active)
        stays = first == state.active
        return Turn(FailoverState(active=first, since=state.since if stays else stamp))
    since = {str(number): stamp for number in range(state.active) if well[number]}
    since |= {key: value for key, value in state.well_since.items() if key in since}
    waits = {
        number: return_after - (now - _moment(since[str(number)], now))
        for number in range(state.active)
        if well[number]
    }
    due = next((number for number, wait in sorted(waits.items()) if wait <= timedelta(0)), None)
    if due is not None:
        return Turn(FailoverState(active=due, since=stamp, well_since=_before(since, due)))
    found = FailoverState(active=state.active, since=state.since, well_since=since)
    return Turn(found, min(waits.values(), default=None))


def _before(since: dict[str, str], active: int) -> dict[str, str]:
    return {key: value for key, value in since.items() if int(key) < active}


def _moment(text: str, default: datetime) -> datetime:
    """A time in a status; *default* where somebody put something else there."""
    try:
        return parse_time(text)
    except ValueError:
        return default
