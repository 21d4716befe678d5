"""Pods: made from a template, bound to a node, started, finished; and what can be read off one."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from services.simulator.core.fields import (
    controller_reference,
    created_at,
    entries,
    is_deleting,
    number,
    section,
)
from services.simulator.core.status import condition, find_condition, is_true
from shared.apimachinery.manifest import Manifest, name_of
from shared.clock import parse_time

_EVICTION_SECONDS = 300


def make_pod(
    owner: Manifest,
    template: Mapping[str, Any],
    labels: Mapping[str, str] | None = None,
    *,
    name: str = "",
) -> Manifest:
    """Return the pod as its controller creates it, before the scheduler and the kubelet.

    Without a *name* the writer makes one up, from the owner's.
    """
    found = section(template, "metadata")
    metadata: dict[str, Any] = {
        **({"name": name} if name else {}),
        "generateName": name_of(owner) + "-",
        "namespace": owner["metadata"]["namespace"],
        "labels": {**(found.get("labels") or {}), **(labels or {})},
        "ownerReferences": [controller_reference(owner)],
    }
    if found.get("annotations"):
        metadata["annotations"] = dict(found["annotations"])
    if found.get("finalizers"):
        metadata["finalizers"] = list(found["finalizers"])
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": admitted_spec(section(template, "spec")),
        "status": {"phase": "Pending", "qosClass": qos_class(section(template, "spec"))},
    }


def admitted_spec(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Add what admission adds to every pod of a real cluster."""
    found = {
        "enableServiceLinks": True,
        "preemptionPolicy": "PreemptLowerPriority",
        "priority": 0,
        **spec,
    }
    account = spec.get("serviceAccountName") or spec.get("serviceAccount") or "default"
    found["serviceAccountName"] = found["serviceAccount"] = account
    tolerations = list(entries(spec, "tolerations"))
    for key in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"):
        if not any(
            one.get("key") in (key, None, "") and one.get("effect") in ("NoExecute", None, "")
            for one in tolerations
        ):
            tolerations.append(
                {
                    "key": key,
                    "operator": "Exists",
                    "effect": "NoExecute",
                    "tolerationSeconds": _EVICTION_SECONDS,
                }
            )
    found["tolerations"] = tolerations
    return found


def qos_class(spec: Mapping[str, Any]) -> str:
    """Guaranteed, Burstable or BestEffort, as the kubelet ranks pods."""
    guaranteed, any_given = True, False
    for container in (*entries(spec, "containers"), *entries(spec, "initContainers")):
        resources = section(container, "resources")
        limits, requests = section(resources, "limits"), section(resources, "requests")
        any_given = any_given or bool(limits or requests)
        for name in ("cpu", "memory"):
            limit = limits.get(name)
            if limit is None or requests.get(name, limit) != limit:
                guaranteed = False
    if not any_given:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"


def phase_of(pod: Manifest) -> str:
    return str(section(pod, "status").get("phase") or "Pending")


def node_of(pod: Manifest) -> str:
    return str(section(pod, "spec").get("nodeName") or "")


def is_finished(pod: Manifest) -> bool:
    return phase_of(pod) in ("Succeeded", "Failed")


def is_active(pod: Manifest) -> bool:
    return not is_finished(pod) and not is_deleting(pod)


def is_ready(pod: Manifest) -> bool:
    return is_true(entries(section(pod, "status"), "conditions"), "Ready")


def available_in(pod: Manifest, min_ready_seconds: int, now: datetime) -> timedelta | None:
    """How long until a ready pod counts as available: zero if it does; None if not ready."""
    if not is_ready(pod):
        return None
    if not min_ready_seconds:
        return timedelta(0)
    since = find_condition(entries(section(pod, "status"), "conditions"), "Ready")
    assert since is not None, "a ready pod has the condition"
    left = parse_time(str(since["lastTransitionTime"])) - now
    return max(left + timedelta(seconds=min_ready_seconds), timedelta(0))


def first_to_go(pods: Sequence[Manifest]) -> list[Manifest]:
    """Sort by who is missed least: unbound, pending, not ready, then the youngest."""
    return sorted(
        sorted(pods, key=created_at, reverse=True),
        key=lambda pod: (bool(node_of(pod)), phase_of(pod) == "Running", is_ready(pod)),
    )


def _conditions(pod: Manifest, now: str, *, ready: bool, why: tuple[str, str]) -> list[Any]:
    """The kubelet's conditions; those whose status holds keep their time."""
    before = entries(section(pod, "status"), "conditions")
    started = phase_of(pod) != "Pending" or ready
    wanted = {
        "PodReadyToStartContainers": started,
        "Initialized": True,
        "Ready": ready,
        "ContainersReady": ready,
        "PodScheduled": True,
    }
    found: list[Any] = []
    for kind, value in wanted.items():
        one: dict[str, Any] = {"type": kind, "status": str(value), "lastProbeTime": None}
        if not value and kind in ("Ready", "ContainersReady"):
            one["reason"], one["message"] = why
        old = find_condition(before, kind)
        same = old is not None and old.get("status") == one["status"]
        one["lastTransitionTime"] = old["lastTransitionTime"] if old and same else now
        found.append(one)
    return found


def _container_statuses(
    pod: Manifest, state: Mapping[str, Any], *, ready: bool, started: bool
) -> list[dict[str, Any]]:
    return [
        {
            "name": container.get("name", ""),
            "image": container.get("image", ""),
            "imageID": "",
            "ready": ready,
            "started": started,
            "restartCount": 0,
            "state": dict(state),
            "lastState": {},
        }
        for container in entries(section(pod, "spec"), "containers")
    ]


def _unready(pod: Manifest) -> tuple[str, str]:
    names = " ".join(
        str(one.get("name", "")) for one in entries(section(pod, "spec"), "containers")
    )
    return "ContainersNotReady", f"containers with unready status: [{names}]"


def bound(pod: Manifest, node: str, host_address: str, now: str) -> Manifest:
    """Return the pod on *node*, its containers about to be created."""
    placed = {**pod, "spec": {**section(pod, "spec"), "nodeName": node}}
    placed["status"] = {
        **section(pod, "status"),
        "phase": "Pending",
        "hostIP": host_address,
        "hostIPs": [{"ip": host_address}],
        "startTime": now,
    }
    return waiting(placed, "ContainerCreating", "", now)


def waiting(pod: Manifest, reason: str, message: str, now: str) -> Manifest:
    """Return the pod on its node with no container running, for *reason*."""
    state = {"waiting": {"reason": reason, **({"message": message} if message else {})}}
    status = {
        **section(pod, "status"),
        "phase": "Pending",
        "containerStatuses": _container_statuses(pod, state, ready=False, started=False),
    }
    status["conditions"] = _conditions(pod, now, ready=False, why=_unready(pod))
    return {**pod, "status": status}


def unschedulable(pod: Manifest, message: str, now: str) -> Manifest:
    """Return the pod as the scheduler leaves it when no node fits."""
    status = dict(section(pod, "status"))
    old = find_condition(entries(status, "conditions"), "PodScheduled")
    new = {
        **condition("PodScheduled", status=False, reason="Unschedulable", message=message, now=now),
        "lastProbeTime": None,
    }
    if old is not None and old.get("status") == "False":
        new["lastTransitionTime"] = old["lastTransitionTime"]
    status["phase"] = "Pending"
    status["conditions"] = [new]
    return {**pod, "status": status}


def running(pod: Manifest, address: str, now: str) -> Manifest:
    """Return the pod with every container running and ready."""
    state = {"running": {"startedAt": now}}
    status = {
        **section(pod, "status"),
        "phase": "Running",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "containerStatuses": _container_statuses(pod, state, ready=True, started=True),
        "conditions": _conditions(pod, now, ready=True, why=("", "")),
    }
    return {**pod, "status": status}


def finished(pod: Manifest, now: str, *, failed: bool) -> Manifest:
    """Return the pod with every container ended."""
    state = {
        "terminated": {
            "exitCode": 1 if failed else 0,
            "reason": "Error" if failed else "Completed",
            "startedAt": section(pod, "status").get("startTime", now),
            "finishedAt": now,
        }
    }
    why = ("PodFailed", "") if failed else ("PodCompleted", "")
    status = {
        **section(pod, "status"),
        "phase": "Failed" if failed else "Succeeded",
        "containerStatuses": _container_statuses(pod, state, ready=False, started=False),
        "conditions": _conditions(pod, now, ready=False, why=why),
    }
    return {**pod, "status": status}


def lost(pod: Manifest, now: str) -> Manifest:
    """Return a pod whose node no longer answers: nobody knows, so it is not ready."""
    why = ("NodeNotReady", "")
    return {
        **pod,
        "status": {
            **section(pod, "status"),
            "conditions": _conditions(pod, now, ready=False, why=why),
        },
    }


def ends_by_itself(pod: Manifest) -> bool:
    """Whether its containers are expected to end: a pod of a Job, or any that is not restarted."""
    return str(section(pod, "spec").get("restartPolicy") or "Always") != "Always"


def min_ready_seconds(workload: Manifest) -> int:
    return number(section(workload, "spec"), "minReadySeconds")
