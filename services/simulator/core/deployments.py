"""Deployments: which ReplicaSets there should be and how large, and what the status says.

The rules are those of `k8s.io/kubernetes/pkg/controller/deployment`: one step per look, the next
one when the ReplicaSets have answered. So never fewer than replicas - maxUnavailable are available
and never more than replicas + maxSurge exist.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from services.simulator.core.fields import (
    controller_reference,
    created_at,
    entries,
    is_deleting,
    number,
    section,
    share,
    with_metadata,
    with_spec,
    with_status,
    without_zeros,
)
from services.simulator.core.names import template_hash
from services.simulator.core.plan import (
    DEPLOYMENTS,
    NOTHING,
    REPLICA_SETS,
    Create,
    Delete,
    Plan,
    Replace,
    Write,
    replace_if_changed,
)
from services.simulator.core.status import (
    condition,
    drop_condition,
    find_condition,
    set_condition,
)
from shared.apimachinery.manifest import Manifest, annotations_of, generation_of, labels_of, name_of
from shared.clock import format_time, parse_time

HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MOST = "deployment.kubernetes.io/max-replicas"


@dataclass(frozen=True, slots=True)
class Rollout:
    """A Deployment beside its ReplicaSets; `new` None is not there yet."""

    deployment: Manifest
    new: Manifest | None
    old: tuple[Manifest, ...]
    wanted: int
    surge: int
    unavailable: int
    recreate: bool

    @property
    def all(self) -> tuple[Manifest, ...]:
        return (*self.old, self.new) if self.new is not None else self.old

    @property
    def least_available(self) -> int:
        return self.wanted - self.unavailable

    @property
    def most(self) -> int:
        return self.wanted + self.surge


def size(replica_set: Manifest) -> int:
    return number(section(replica_set, "spec"), "replicas", 1)


def _available(replica_set: Manifest) -> int:
    return number(section(replica_set, "status"), "availableReplicas")


def read_rollout(deployment: Manifest, replica_sets: Sequence[Manifest]) -> Rollout:
    spec = section(deployment, "spec")
    wanted = number(spec, "replicas", 1)
    recreate = section(spec, "strategy").get("type") == "Recreate"
    rolling = section(spec, "strategy", "rollingUpdate")
    surge = share(rolling.get("maxSurge", "25%"), wanted, round_up=True)
    unavailable = share(rolling.get("maxUnavailable", "25%"), wanted, round_up=False)
    if recreate:
        surge = unavailable = 0
    elif surge == 0 and unavailable == 0:
        # Both may round to nothing; then one at a time goes down, or nothing would ever move.
        unavailable = 1
    digest = template_hash(section(spec, "template"))
    ordered = sorted(replica_sets, key=lambda one: (created_at(one), name_of(one)))
    new = next((one for one in ordered if labels_of(one).get(HASH_LABEL) == digest), None)
    old = tuple(one for one in ordered if one is not new)
    return Rollout(deployment, new, old, wanted, surge, min(unavailable, wanted), recreate)


def plan_deployment(deployment: Manifest, replica_sets: Sequence[Manifest], now: datetime) -> Plan:
    """Return the next step of the rollout; with no step to take, the status."""
    if is_deleting(deployment):
        return NOTHING
    rollout = read_rollout(deployment, [one for one in replica_sets if not is_deleting(one)])
    paused = bool(section(deployment, "spec").get("paused"))
    if rollout.new is None and not paused:
        return Plan((Create(REPLICA_SETS, _make_replica_set(rollout)),))
    if paused or _is_scaled(rollout):
        sizes = _scale(rollout)
    elif rollout.recreate:
        sizes = _recreate(rollout)
    else:
        sizes = _roll(rollout)
    writes = _resize(rollout, sizes)
    if writes:
        # The ReplicaSets answer with a status of their own, which wakes us again.
        return Plan(tuple(writes))
    plan = _report(rollout, now, paused=paused)
    return Plan((*plan.writes, *_forget(rollout)), plan.again)


def _make_replica_set(rollout: Rollout) -> Manifest:
    deployment, spec = rollout.deployment, section(rollout.deployment, "spec")
    template = section(spec, "template")
    digest = template_hash(template)
    labels = {**(section(template, "metadata").get("labels") or {}), HASH_LABEL: digest}
    selector = dict(section(spec, "selector"))
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), HASH_LABEL: digest}
    new_spec: dict[str, Any] = {
        "replicas": _size_of_new(rollout, 0),
        "selector": selector,
        "template": {
            **template,
            "metadata": {**section(template, "metadata"), "labels": labels},
        },
    }
    if number(spec, "minReadySeconds"):
        new_spec["minReadySeconds"] = number(spec, "minReadySeconds")
    inherited = {
        name: value
        for name, value in annotations_of(deployment).items()
        if not name.startswith(("deployment.kubernetes.io/", "kubectl.kubernetes.io/last-applied"))
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{name_of(deployment)}-{digest}",
            "namespace": deployment["metadata"]["namespace"],
            "labels": labels,
            "annotations": {
                **inherited,
                DESIRED: str(rollout.wanted),
                MOST: str(rollout.most),
                REVISION: str(_highest_revision(rollout.old) + 1),
            },
            "ownerReferences": [controller_reference(deployment)],
        },
        "spec": new_spec,
        "status": {"replicas": 0},
    }


def _revision(replica_set: Manifest) -> int:
    text = annotations_of(replica_set).get(REVISION, "0")
    return int(text) if text.isdigit() else 0


def _highest_revision(replica_sets: Sequence[Manifest]) -> int:
    return max((_revision(one) for one in replica_sets), default=0)


def _size_of_new(rollout: Rollout, current: int) -> int:
    """How large the new ReplicaSet may be now (`NewRSNewReplicas`)."""
    if rollout.recreate:
        busy = any(number(section(one, "status"), "replicas") or size(one) for one in rollout.old)
        return current if busy else rollout.wanted
    total = sum(size(one) for one in rollout.old) + current
    return current + max(0, min(rollout.most - total, rollout.wanted - current))


def _is_scaled(rollout: Rollout) -> bool:
    """Whether `replicas` changed since the ReplicaSets were last told."""
    return any(
        size(one) > 0 and annotations_of(one).get(DESIRED) not in (None, str(rollout.wanted))
        for one in rollout.all
    )


Sizes = dict[str, int]


def _scale(rollout: Rollout) -> Sizes:
    """Scale what runs: one ReplicaSet alone as asked, several by their share."""
    active = [one for one in rollout.all if size(one) > 0]
    if len(active) <= 1:
        only = active[0] if active else rollout.new
        return {name_of(only): rollout.wanted} if only is not None else {}
    new = rollout.new
    if new is not None and size(new) == rollout.wanted == _available(new):
        return {name_of(one): 0 for one in rollout.old}
    if rollout.recreate:
        return {}
    return _scale_by_share(rollout, active)


def _scale_by_share(rollout: Rollout, active: Sequence[Manifest]) -> Sizes:
    total = sum(size(one) for one in active)
    change = (rollout.most if rollout.wanted else 0) - total
    # Largest first; among equals the newer one grows and the older one shrinks.
    ordered = sorted(
        active, key=lambda one: (size(one), _revision(one) * (1 if change > 0 else -1))
    )
    ordered.reverse()
    sizes: Sizes = {}
    left = change
    for one in ordered:
        text = annotations_of(one).get(MOST, "")
        most_before = int(text) if text.isdigit() and int(text) else total
        part = round(size(one) * rollout.most / most_before) - size(one)
        part = min(max(part, 0), left) if change > 0 else max(min(part, 0), left)
        sizes[name_of(one)] = max(size(one) + part, 0)
        left -= part
    first = name_of(ordered[0])
    sizes[first] = max(sizes[first] + left, 0)
    return sizes


def _recreate(rollout: Rollout) -> Sizes:
    """Everything old goes first."""
    sizes = {name_of(one): 0 for one in rollout.old if size(one)}
    if not sizes and rollout.new is not None:
        sizes[name_of(rollout.new)] = _size_of_new(rollout, size(rollout.new))
    return sizes


def _roll(rollout: Rollout) -> Sizes:
    new = rollout.new
    assert new is not None, "a rollout that is not paused has its ReplicaSet"
    current = size(new)
    target = rollout.wanted if current > rollout.wanted else _size_of_new(rollout, current)
    if target != current:
        return {name_of(new): target}
    return _shrink_old(rollout, new)


def _shrink_old(rollout: Rollout, new: Manifest) -> Sizes:
    """First what is not available anyway, then as many as can be spared."""
    sizes = {name_of(one): size(one) for one in rollout.old if size(one)}
    if not sizes:
        return {}
    total = sum(sizes.values()) + size(new)
    room = total - rollout.least_available - (size(new) - _available(new))
    if room <= 0:
        return {}
    for one in rollout.old:
        if name_of(one) not in sizes:
            continue
        unhealthy = min(max(size(one) - _available(one), 0), room)
        sizes[name_of(one)] -= unhealthy
        room -= unhealthy
    available = sum(_available(one) for one in rollout.all)
    spare = available - rollout.least_available
    for name, current in sizes.items():
        if spare <= 0:
            break
        gone = min(current, spare)
        sizes[name] = current - gone
        spare -= gone
    return sizes


def _resize(rollout: Rollout, sizes: Sizes) -> list[Write]:
    """Write sizes and the annotations that remember what was asked."""
    writes: list[Write] = []
    newest = _highest_revision(rollout.old) + 1
    for one in rollout.all:
        target = sizes.get(name_of(one), size(one))
        notes = dict(annotations_of(one))
        if target or one is rollout.new:
            notes |= {DESIRED: str(rollout.wanted), MOST: str(rollout.most)}
        if one is rollout.new and _revision(one) < newest:
            notes[REVISION] = str(newest)
        changed = one
        if notes != annotations_of(one):
            changed = with_metadata(changed, annotations=notes)
        if target != size(one):
            changed = with_spec(changed, replicas=target)
        writes.extend(replace_if_changed(REPLICA_SETS, one, changed))
    return writes


def _forget(rollout: Rollout) -> list[Write]:
    """Drop the oldest empty ReplicaSets beyond the limit once the rollout is complete."""
    keep = number(section(rollout.deployment, "spec"), "revisionHistoryLimit", 10)
    empty = [
        one
        for one in sorted(rollout.old, key=_revision)
        if not size(one) and not number(section(one, "status"), "replicas")
    ]
    return [Delete(REPLICA_SETS, one) for one in empty[: max(len(empty) - keep, 0)]]


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


def _report(rollout: Rollout, now: datetime, *, paused: bool) -> Plan:
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
        text = ("DeploymentPaused", "paused") if paused else ("DeploymentResumed", "resumed")
        one = condition("Progressing", "Unknown", text[0], f"Deployment is {text[1]}", moment)
        conditions = set_condition(conditions, one, stamp="lastUpdateTime")
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
        fresh = _revision(rollout.new) == 1 or not rollout.old
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
