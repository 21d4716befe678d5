"""Whether a cluster that was given a revision is well with it, has failed, or needs more time."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from services.propagator.core.rollout.observation import Outcome, Seen
from services.propagator.core.rollout.stages import Stage
from shared.api.rollout import RolloutCluster
from shared.clock import format_micro_time, parse_time

UNHEARD = timedelta(seconds=30)
"""So much longer has a cluster from which nothing came at all: it takes a while until it is known
that nobody reaches it, and then it has not failed."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The cluster as it is to be recorded, and when that may change though nothing happens."""

    cluster: RolloutCluster
    wake_after: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """`since`: nobody looked before then, so no deadline runs out on that time.

    `patient`: nothing fails now, however it goes.
    """

    now: datetime
    since: datetime
    patient: bool = False


def judge(one: RolloutCluster, seen: Seen, stage: Stage, watch: Watch) -> Judgement:
    """Judge a cluster that is Updating or Failed; a failed one that becomes well is Updated."""
    now = format_micro_time(watch.now)
    if seen.outcome is Outcome.HEALTHY:
        return _judge_healthy(_changed(one, message=seen.message), stage, watch.now)
    if seen.outcome is Outcome.SILENT or one.state == "Failed":
        since = one.since if one.state == "Failed" else ""
        message = one.message if one.state == "Failed" else seen.message
        return Judgement(_changed(one, since=since, healthy_since="", message=message))
    one = _changed(one, since=one.since or now, healthy_since="", message=seen.message)
    deadline = stage.deadline if seen.reported else stage.deadline + UNHEARD
    left = deadline - (watch.now - max(_moment(one.since, watch.now), watch.since))
    hopeless = seen.outcome in (Outcome.DEGRADED, Outcome.UNFIT)
    if watch.patient:
        return Judgement(one)
    if hopeless or left <= timedelta(0):
        late = f"not healthy within {stage.deadline.total_seconds():g}s"
        why = seen.message if hopeless else ": ".join(filter(None, (late, seen.message)))
        return Judgement(_changed(one, state="Failed", since=now, message=why))
    return Judgement(one, left)


def _judge_healthy(one: RolloutCluster, stage: Stage, now: datetime) -> Judgement:
    well = one.healthy_since or format_micro_time(now)
    left = stage.success - (now - _moment(well, now))
    if left <= timedelta(0):
        moment = format_micro_time(now)
        return Judgement(_changed(one, state="Updated", since=moment, healthy_since=well))
    return Judgement(_changed(one, healthy_since=well), left)


def _changed(one: RolloutCluster, **fields: str) -> RolloutCluster:
    return msgspec.structs.replace(one, **fields)


def _moment(text: str, default: datetime) -> datetime:
    """A time in a status; *default* where somebody put something else there."""
    try:
        return parse_time(text)
    except ValueError:
        return default
