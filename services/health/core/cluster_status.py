"""The part of `Cluster.status` that health writes, and when it is worth writing.

Health owns the conditions Ready, FailoverHeld and those of `side_conditions`, the taints, the
capacity, `observedTime` and the latencies. A time alone, or a latency that moved a little, is no
reason to write.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec

from services.health.core.brake import Held
from services.health.core.latencies import latencies_after
from services.health.core.panel import NOBODY, Panel
from services.health.core.returning import outages_with, settling_of
from services.health.core.room_news import room_to_tell
from services.health.core.side_conditions import (
    with_agreement,
    with_credentials,
    with_expiry,
    with_slow,
)
from services.health.core.taints import given_up_at, taints_after
from services.health.core.verdict import Verdict
from shared.api.cluster import READY, ClusterStatus, Taint
from shared.api.conditions import find_condition, with_condition, without_condition
from shared.api.meta import Condition, section
from shared.clock import format_time, parse_time
from shared.events.cluster import Observation, Reach
from shared.events.round_trips import has_moved

FAILOVER_HELD = "FailoverHeld"

REACHABLE = "Reachable"
RECOVERED = "Recovered"
"""Reason of Ready: it was not reachable before, and is again."""
RETURNING = "Returning"
"""Reason of Ready: it was unreachable, and some observers reach it again, but too few."""
NO_OBSERVATION = "NoObservation"

_READY: dict[Reach, tuple[str, str]] = {
    Reach.REACHABLE: ("True", REACHABLE),
    Reach.NOT_READY: ("False", str(Reach.NOT_READY)),
    Reach.CREDENTIALS_REFUSED: ("False", str(Reach.CREDENTIALS_REFUSED)),
    Reach.UNREACHABLE: ("False", str(Reach.UNREACHABLE)),
    Reach.SUSPECT: ("Unknown", str(Reach.SUSPECT)),
    Reach.UNKNOWN: ("Unknown", NO_OBSERVATION),
}
_GONE = frozenset({str(Reach.UNREACHABLE), RETURNING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """All that is known of a member at this moment."""

    verdict: Verdict
    observations: Sequence[Observation]
    panel: Panel = NOBODY
    slow_limit: timedelta = timedelta(seconds=1)
    expiry_warning: timedelta = timedelta(days=7)
    held: Held | None = None
    """Why no taint is added; None while the brake is off."""
    settle_base: timedelta = timedelta(minutes=1)
    """How long a member settles after its second outage within an hour."""


def reach_of(status: ClusterStatus) -> Reach:
    """Return the verdict as it was last written."""
    ready = find_condition(status.conditions, READY)
    if ready is None:
        return Reach.UNKNOWN
    if ready.status == "True":
        return Reach.REACHABLE
    known = {reason: reach for reach, (_, reason) in _READY.items()}
    known[RETURNING] = Reach.SUSPECT
    return known.get(ready.reason, Reach.UNKNOWN)


def is_silent(status: ClusterStatus) -> bool:
    return reach_of(status) is Reach.UNREACHABLE


def status_after(status: ClusterStatus, found: Assessment, *, now: datetime) -> ClusterStatus:
    """Return *status* with health's part of it as *found* says."""
    moment = format_time(now)
    verdict, words = found.verdict, found.observations
    # One lost probe is no news.
    reach = Reach.UNKNOWN if _is_passing(verdict) else verdict.reach
    conditions = status.conditions
    if not _is_passing(verdict):
        conditions = _with_ready(conditions, verdict, moment)
    conditions = with_credentials(conditions, words, verdict, now=moment)
    conditions = with_expiry(conditions, words, found.expiry_warning, now)
    conditions = with_agreement(conditions, verdict, found.panel, now=moment)
    conditions = with_slow(conditions, words, found.slow_limit, now=moment)
    conditions = _with_held(conditions, found.held, moment)
    settling = settling_of(status.outages, found.settle_base, now)
    taints = taints_after(
        reach, status.taints, now=now, held=found.held is not None, settling=settling
    )
    seen = [each for each in words if each.reach is Reach.REACHABLE]
    latencies = [
        each.latency_milliseconds for each in seen if each.latency_milliseconds is not None
    ]
    rooms = [each for each in words if each.capacity is not None]
    newest = max(rooms, key=lambda each: each.observed_time, default=None)
    return msgspec.structs.replace(
        status,
        conditions=conditions,
        taints=taints,
        outages=_outages(status, taints, now),
        capacity=room_to_tell(status.capacity, newest.capacity if newest else None, now=now),
        latency_milliseconds=min(latencies, default=status.latency_milliseconds),
        latencies=latencies_after(status.latencies, words),
        # The time of the last good look: it stands still while the member is silent.
        observed_time=max((each.observed_time for each in seen), default=status.observed_time),
    )


def _outages(status: ClusterStatus, taints: Sequence[Taint], now: datetime) -> tuple[str, ...]:
    """One that a doubt interrupts is the same outage still."""
    begins = given_up_at(taints) is not None and given_up_at(status.taints) is None
    ready = find_condition(status.conditions, READY)
    interrupted = ready is not None and ready.reason == RETURNING
    return outages_with(status.outages, now) if begins and not interrupted else status.outages


def _with_held(
    conditions: tuple[Condition, ...], held: Held | None, moment: str
) -> tuple[Condition, ...]:
    if held is None:
        return without_condition(conditions, FAILOVER_HELD)
    new = Condition(type=FAILOVER_HELD, status="True", reason=held.reason, message=held.message)
    return with_condition(conditions, new, now=moment)


def _is_passing(verdict: Verdict) -> bool:
    return verdict.reach is Reach.SUSPECT and not verdict.lasting


def _with_ready(
    conditions: tuple[Condition, ...], verdict: Verdict, moment: str
) -> tuple[Condition, ...]:
    status, reason = _READY[verdict.reach]
    old = find_condition(conditions, READY)
    message = verdict.message
    if status == "True" and old is not None:
        # What an observer says from probe to probe is of no interest while all is well.
        if old.status == "True":
            return conditions
        reason = RECOVERED if old.reason in _GONE else REACHABLE
    if verdict.reach is Reach.SUSPECT and old is not None and old.reason in _GONE:
        reason = RETURNING
    same = old is not None and (old.status, old.reason) == (status, reason)
    if old is not None and same:
        return conditions
    ready = Condition(
        type=READY, status=status, reason=reason, message=message, last_transition_time=moment
    )
    return (*without_condition(conditions, READY), ready)


def is_worth_writing(
    old: ClusterStatus, new: ClusterStatus, *, now: datetime, refresh: timedelta
) -> bool:
    """Tell whether *new* says more than *old*, or *old* has become too old to be trusted."""
    if _meaning(old) != _meaning(new) or has_moved(
        old.latency_milliseconds, new.latency_milliseconds
    ):
        return True
    if new.observed_time is None or new.observed_time == old.observed_time:
        return False
    return old.observed_time is None or now - parse_time(old.observed_time) >= refresh


def _meaning(status: ClusterStatus) -> ClusterStatus:
    return msgspec.structs.replace(status, observed_time=None, latency_milliseconds=None)


def written_fields(status: ClusterStatus) -> dict[str, Any]:
    """Return health's fields of *status* as plain data; None for one that is to be absent."""
    return {
        "conditions": section(status.conditions),
        "taints": section(status.taints) or None,
        "capacity": section(status.capacity),
        "observedTime": status.observed_time,
        "latencyMilliseconds": status.latency_milliseconds,
        "latencies": section(status.latencies) or None,
        "outages": section(status.outages) or None,
    }
