"""A shift: from step to step while its gate holds, back by itself when it does not.

What is remembered is in the policy's status, so a process that takes over goes on where the last
one was. A step lasts only while somebody watches: after a restart its time begins anew.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from shared.api.traffic_policy import Shift, ShiftPhase, ShiftState
from shared.apimachinery.durations import parse_duration
from shared.clock import format_micro_time, parse_time

JUDGED_MIN = 20
"""Of fewer requests none is enough to say that too many of them fail."""
_WAITING = "waits until the clusters it goes to are ready"
_NOT_IN_TURN = "waits until the failover order has traffic go to the clusters it goes to"
_ENDED: tuple[ShiftPhase, ...] = ("Failed", "Retreated", "Complete")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """How the clusters of `to` do. Requests and errors are those told since the last look.

    `in_turn`: traffic may go there at all, as far as the failover order says.
    """

    ready: int = 0
    wanted: int = 0
    requests: int = 0
    errors: int = 0
    in_turn: bool = True


@dataclass(frozen=True, slots=True)
class Progress:
    """The state as it is to be recorded, and when that may change though nothing happens."""

    state: ShiftState
    wake_after: timedelta | None = None


def advance(
    shift: Shift,
    state: ShiftState | None,
    seen: Evidence,
    now: datetime,
    watched_since: datetime,
) -> Progress:
    """Take the next step, if it is due. *watched_since*: nobody looked before then."""
    state = _resumed(shift, state)
    if state.phase in _ENDED:
        return Progress(state)
    state = _changed(state, step=min(state.step, len(shift.steps) - 1))
    if not state.since and state.phase != "Paused":
        return Progress(_begun(shift, state, seen, now))
    watched = max(_moment(state.since, now), watched_since) if state.since else now
    passed = state.elapsed_seconds + max(0.0, (now - watched).total_seconds())
    if shift.paused:
        if state.phase == "Paused":
            return Progress(state)
        told = f"paused at {state.percentage}%"
        return Progress(
            _changed(state, phase="Paused", elapsed_seconds=passed, since="", message=told)
        )
    if state.phase == "Paused":
        # While it was paused its time stood still.
        state = _changed(state, phase="Progressing", since=format_micro_time(now), message="")
        if not state.percentage:
            return Progress(_begun(shift, _changed(state, since=""), seen, now))
    state = _changed(
        state, requests=state.requests + seen.requests, errors=state.errors + seen.errors
    )
    if why := _failure(shift, state, seen):
        return Progress(_ended_badly(shift, state, why))
    return _go_on(shift, state, passed, now)


def digest_of(shift: Shift) -> str:
    """Tell apart shifts that go to other clusters."""
    return hashlib.sha256(msgspec.json.encode(shift.to, order="sorted")).hexdigest()[:12]


def _resumed(shift: Shift, state: ShiftState | None) -> ShiftState:
    """Return the state to go on from: a new one for another aim, or another attempt."""
    digest = digest_of(shift)
    if state is None or state.digest != digest or shift.attempt > state.attempt:
        return ShiftState(digest=digest, attempt=shift.attempt)
    if state.phase != "Complete":
        return state
    later = [number for number, one in enumerate(shift.steps) if one.percentage > state.percentage]
    if not later:
        return state
    # Steps were added to one that was done.
    return _changed(state, phase="Progressing", step=later[0], since="")


def _begun(shift: Shift, state: ShiftState, seen: Evidence, now: datetime) -> ShiftState:
    """Begin a step; the first waits until there is somebody to take the traffic."""
    if shift.paused:
        return _changed(state, message=f"paused at {state.percentage}%")
    if not _enough_ready(shift, seen):
        return _changed(state, message=_WAITING)
    if not seen.in_turn:
        return _changed(state, message=_NOT_IN_TURN)
    return _step(shift, state, state.step, now)


def _step(shift: Shift, state: ShiftState, number: int, now: datetime) -> ShiftState:
    percentage = shift.steps[number].percentage
    return _changed(
        state,
        step=number,
        percentage=percentage,
        since=format_micro_time(now),
        elapsed_seconds=0.0,
        requests=0,
        errors=0,
        message=f"step {number + 1} of {len(shift.steps)}: {percentage}%",
    )


def _go_on(shift: Shift, state: ShiftState, passed: float, now: datetime) -> Progress:
    step, gate = shift.steps[state.step], shift.gate
    left = timedelta(seconds=parse_duration(step.duration or "0s") - passed)
    if left > timedelta(0):
        return Progress(state, left)
    if state.requests < gate.min_requests:
        lacking = f"{state.requests} of {gate.min_requests} requests that it takes to go on"
        return Progress(_changed(state, message=f"{state.percentage}%: {lacking}"))
    if state.step + 1 < len(shift.steps):
        following = _step(shift, state, state.step + 1, now)
        wait = parse_duration(shift.steps[following.step].duration or "0s")
        return Progress(following, timedelta(seconds=wait))
    done = f"done: {state.percentage}%"
    return Progress(_changed(state, phase="Complete", message=done))


def _failure(shift: Shift, state: ShiftState, seen: Evidence) -> str:
    """Return why the gate does not hold; empty while it does."""
    if not _enough_ready(shift, seen):
        return (
            f"{seen.ready} of {seen.wanted} replicas are ready in the clusters it goes to, fewer"
            f" than {shift.gate.min_ready_percent}%"
        )
    if state.requests < max(JUDGED_MIN, shift.gate.min_requests):
        return ""
    limit = shift.gate.max_error_percent
    if state.errors * 100 <= limit * state.requests:
        return ""
    return f"{state.errors} of {state.requests} requests failed, more than {limit:g}%"


def _enough_ready(shift: Shift, seen: Evidence) -> bool:
    wanted = max(seen.wanted, seen.ready)
    enough = seen.ready * 100 >= wanted * shift.gate.min_ready_percent
    return seen.ready > 0 and enough


def _ended_badly(shift: Shift, state: ShiftState, why: str) -> ShiftState:
    failed = f"step {state.step + 1} ({state.percentage}%): {why}"
    if shift.on_failure == "Pause":
        return _changed(state, phase="Failed", message=failed)
    return _changed(state, phase="Retreated", percentage=0, message=failed)


def _changed(state: ShiftState, **fields: object) -> ShiftState:
    return msgspec.structs.replace(state, **fields)


def _moment(text: str, default: datetime) -> datetime:
    """A time in a status; *default* where somebody put something else there."""
    try:
        return parse_time(text)
    except ValueError:
        return default
