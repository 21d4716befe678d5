"""What a Deployment says of itself: counts, Available, Progressing.

Reasons and messages are those of `k8s.io/kubernetes/pkg/controller/deployment`.
"""

from datetime import datetime, timedelta
from typing import Any

from services.simulator.core.fields import (
    entries,
    number,
    section,
    with_metadata,
    with_status,
    without_zeros,
)
from services.simulator.core.plan import DEPLOYMENTS, Plan, Replace
from services.simulator.core.rollout import REVISION, Rollout, revision_of, size
from services.simulator.core.status import (
    condition,
    drop_condition,
    find_condition,
    set_condition,
)
from shared.apimachinery.manifest import annotations_of, generation_of, name_of
from shared.clock import format_time, parse_time


def report(rollout: Rollout, now: datetime, *, paused: bool) -> Plan:
    """Write the status where it says something new."""
    deployment = rollout.deployment
    before, moment = section(deployment, "status"), format_time(now)
    counts = _counts(rollout)
    conditions = _judge_availability(rollout, counts, moment)
    failure = None
    if rollout.new is not None:
        own = entries(section(rollout.new, "status"), "conditions")
        failure = find_condition(own, "ReplicaFailure")
    if failure is not None:
        conditions = set_condition(conditions, failure, stamp="lastUpdateTime")
    else:
        conditions = drop_condition(conditions, "ReplicaFailure")
    again = None
    progressing = find_condition(conditions, "Progressing")
    if paused or (progressing and progressing.get("reason") == "DeploymentPaused"):
        conditions = _tell_pause(conditions, moment, paused=paused)
    else:
        conditions, again = _judge_progress(rollout, counts, conditions, now)
    status = {**without_zeros(counts), "conditions": conditions}
    if before.get("collisionCount"):
        status["collisionCount"] = before["collisionCount"]
    changed = with_status(deployment, status)
    if rollout.new is not None:
        revision = annotations_of(rollout.new).get(REVISION, "1")
        if annotations_of(deployment).get(REVISION) != revision:
            notes = {**annotations_of(deployment), REVISION: revision}
            changed = with_metadata(changed, annotations=notes)
    if changed == deployment:
        return Plan(again=again)
    return Plan((Replace(DEPLOYMENTS, deployment, changed),), again)


def _tell_pause(conditions: list[Any], moment: str, *, paused: bool) -> list[Any]:
    reason, text = ("DeploymentPaused", "paused") if paused else ("DeploymentResumed", "resumed")
    one = condition("Progressing", "Unknown", reason, f"Deployment is {text}", moment)
    return set_condition(conditions, one, stamp="lastUpdateTime")


def _counts(rollout: Rollout) -> dict[str, int]:
    def total(name: str) -> int:
        return sum(number(section(one, "status"), name) for one in rollout.all)

    replicas, available = total("replicas"), total("availableReplicas")
    new = section(rollout.new, "status") if rollout.new is not None else {}
    return {
        "observedGeneration": generation_of(rollout.deployment),
        "replicas": replicas,
        "updatedReplicas": number(new, "replicas"),
        "readyReplicas": total("readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(sum(size(one) for one in rollout.all) - available, 0),
    }


def _judge_availability(rollout: Rollout, counts: dict[str, int], moment: str) -> list[Any]:
    conditions = entries(section(rollout.deployment, "status"), "conditions")
    enough = counts["availableReplicas"] >= rollout.least_available
    return set_condition(
        conditions,
        condition(
            "Available",
            enough,
            "MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable",
            "Deployment has minimum availability."
            if enough
            else "Deployment does not have minimum availability.",
            moment,
        ),
        stamp="lastUpdateTime",
    )


def _judge_progress(
    rollout: Rollout, counts: dict[str, int], conditions: list[Any], now: datetime
) -> tuple[list[Any], timedelta | None]:
    """Say whether the rollout moves, is done, or has run out of time."""
    assert rollout.new is not None, "only a paused Deployment has no new ReplicaSet here"
    name, moment = name_of(rollout.new), format_time(now)
    before = section(rollout.deployment, "status")
    found = find_condition(conditions, "Progressing")
    about_this = found is not None and f'"{name}"' in str(found.get("message"))
    reason = str(found.get("reason")) if found is not None and about_this else ""

    def say(status: str, why: str, text: str) -> list[Any]:
        one = condition("Progressing", status, why, text, moment)
        # Progress itself is news: the time of the last sign of it moves on.
        rest = conditions
        if why == "ReplicaSetUpdated" and found is not None:
            one["lastTransitionTime"] = (
                found["lastTransitionTime"] if found.get("status") == status else moment
            )
            one["lastUpdateTime"] = moment
            return [one if each is found else each for each in rest]
        return set_condition(rest, one, stamp="lastUpdateTime")

    if counts["replicas"] == counts["updatedReplicas"] and reason == "NewReplicaSetAvailable":
        return conditions, None
    done = (
        counts["updatedReplicas"]
        == counts["replicas"]
        == counts["availableReplicas"]
        == rollout.wanted
    )
    if done:
        text = f'ReplicaSet "{name}" has successfully progressed.'
        return say("True", "NewReplicaSetAvailable", text), None
    if _has_moved(before, counts):
        text = f'ReplicaSet "{name}" is progressing.'
        return say("True", "ReplicaSetUpdated", text), _deadline(rollout, moment, now)
    if found is None or not about_this:
        fresh = revision_of(rollout.new) == 1 or not rollout.old
        why = "NewReplicaSetCreated" if fresh else "FoundNewReplicaSet"
        text = f'Created new replica set "{name}"' if fresh else f'Found new replica set "{name}"'
        return say("True", why, text), _deadline(rollout, moment, now)
    left = _deadline(rollout, str(found.get("lastUpdateTime", moment)), now)
    if left is not None and left <= timedelta(0):
        text = f'ReplicaSet "{name}" has timed out progressing.'
        return say("False", "ProgressDeadlineExceeded", text), None
    return conditions, left


def _has_moved(before: Any, counts: dict[str, int]) -> bool:
    old = {name: number(before, name) for name in counts}
    return (
        counts["updatedReplicas"] > old["updatedReplicas"]
        or counts["replicas"] - counts["updatedReplicas"] < old["replicas"] - old["updatedReplicas"]
        or counts["readyReplicas"] > old["readyReplicas"]
        or counts["availableReplicas"] > old["availableReplicas"]
    )


def _deadline(rollout: Rollout, since: str, now: datetime) -> timedelta | None:
    seconds = number(section(rollout.deployment, "spec"), "progressDeadlineSeconds", 600)
    return parse_time(since) + timedelta(seconds=seconds) - now
