"""The columns of pods. STATUS is the one word that says most about all its containers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.apimachinery.manifest import Manifest
from shared.apiserver.age import age_of
from shared.apiserver.kinds import Column
from shared.apiserver.printers.cells import (
    AGE,
    NONE,
    column,
    condition_status,
    dig,
    field,
    items,
    timed,
)
from shared.clock import parse_time


@dataclass(slots=True)
class _Tally:
    """What is seen while walking through the containers of a pod."""

    reason: str
    ready: int = 0
    total: int = 0
    restarts: int = 0
    last_restart: str = ""

    def count_restarts(self, status: Mapping[str, Any]) -> None:
        self.restarts += int(status.get("restartCount") or 0)
        finished = dig(status, "lastState", "terminated", "finishedAt") or ""
        # Equal forms of RFC 3339 in UTC sort as text; parsing settles the rest.
        if finished and (
            not self.last_restart or parse_time(finished) > parse_time(self.last_restart)
        ):
            self.last_restart = finished


def _tally(pod: Manifest) -> _Tally:
    tally = _Tally(reason=dig(pod, "status", "reason") or dig(pod, "status", "phase") or "Pending")
    for condition in items(pod, "status", "conditions"):
        if condition.get("type") == "PodScheduled" and condition.get("reason") == "SchedulingGated":
            tally.reason = "SchedulingGated"

    sidecars = {
        one.get("name")
        for one in items(pod, "spec", "initContainers")
        if one.get("restartPolicy") == "Always"
    }
    tally.total = len(items(pod, "spec", "containers")) + len(sidecars)
    initializing = _walk_init_containers(pod, tally, sidecars)
    if not initializing or condition_status(pod, "Initialized") == "True":
        _walk_containers(pod, tally, sidecars)

    if dig(pod, "metadata", "deletionTimestamp"):
        if dig(pod, "status", "reason") == "NodeLost":
            tally.reason = "Unknown"
        elif dig(pod, "status", "phase") not in {"Succeeded", "Failed"}:
            tally.reason = "Terminating"
    return tally


def _walk_init_containers(pod: Manifest, tally: _Tally, sidecars: set[Any]) -> bool:
    """Stop at the first one that still holds up the pod; return whether there is one."""
    for position, status in enumerate(items(pod, "status", "initContainerStatuses")):
        tally.count_restarts(status)
        terminated = dig(status, "state", "terminated")
        waiting = dig(status, "state", "waiting", "reason")
        if terminated and not terminated.get("exitCode"):
            continue
        if status.get("name") in sidecars and status.get("started"):
            tally.ready += 1 if status.get("ready") else 0
            continue
        if terminated:
            tally.reason = f"Init:{_end_of(terminated)}"
        elif waiting and waiting != "PodInitializing":
            tally.reason = f"Init:{waiting}"
        else:
            tally.reason = f"Init:{position}/{len(items(pod, 'spec', 'initContainers'))}"
        return True
    return False


def _walk_containers(pod: Manifest, tally: _Tally, sidecars: set[Any]) -> None:
    # Restarts of init containers that are done no longer matter; those of sidecars do.
    tally.restarts, tally.last_restart = 0, ""
    for status in items(pod, "status", "initContainerStatuses"):
        if status.get("name") in sidecars:
            tally.count_restarts(status)

    running, failure = False, ""
    # Backwards, so that the first container has the last word.
    for status in reversed(items(pod, "status", "containerStatuses")):
        tally.count_restarts(status)
        waiting = dig(status, "state", "waiting", "reason")
        terminated = dig(status, "state", "terminated")
        if waiting:
            tally.reason = waiting
        elif terminated:
            tally.reason = _end_of(terminated)
            failure = tally.reason if terminated.get("exitCode") else failure
        elif status.get("ready") and dig(status, "state", "running") is not None:
            running = True
            tally.ready += 1
    if tally.reason == "Completed":
        # The first container is done; another one may run, or may have failed.
        if running and condition_status(pod, "Ready") == "True":
            tally.reason = "Running"
        elif failure or running:
            tally.reason = failure or "NotReady"


def row_conditions(pod: Manifest) -> list[Manifest]:
    """A pod that is over says so, so that clients may leave it out."""
    phase = dig(pod, "status", "phase")
    words = {"Succeeded": "The pod has completed successfully.", "Failed": "The pod failed."}
    if phase not in words:
        return []
    return [{"type": "Completed", "status": "True", "reason": phase, "message": words[phase]}]


def _end_of(terminated: Mapping[str, Any]) -> str:
    if terminated.get("reason"):
        return str(terminated["reason"])
    if terminated.get("signal"):
        return f"Signal:{terminated['signal']}"
    return f"ExitCode:{terminated.get('exitCode', 0)}"


def _restarts(pod: Manifest, now: datetime) -> str:
    tally = _tally(pod)
    if tally.restarts and tally.last_restart:
        return f"{tally.restarts} ({age_of(tally.last_restart, now)} ago)"
    return str(tally.restarts)


def _ready(pod: Manifest) -> str:
    tally = _tally(pod)
    return f"{tally.ready}/{tally.total}"


def _address(pod: Manifest) -> str:
    addresses = [one.get("ip") for one in items(pod, "status", "podIPs")]
    return addresses[0] if addresses else dig(pod, "status", "podIP") or NONE


def _gates(pod: Manifest) -> str:
    gates = items(pod, "spec", "readinessGates")
    if not gates:
        return NONE
    passed = sum(condition_status(pod, one.get("conditionType", "")) == "True" for one in gates)
    return f"{passed}/{len(gates)}"


POD: tuple[Column, ...] = (
    column("Ready", _ready),
    column("Status", lambda pod: _tally(pod).reason),
    timed("Restarts", _restarts),
    AGE,
    column("IP", _address, wide=True),
    field("Node", "spec", "nodeName", absent=NONE, wide=True),
    field("Nominated Node", "status", "nominatedNodeName", absent=NONE, wide=True),
    column("Readiness Gates", _gates, wide=True),
)
