"""Deployments: which ReplicaSets there should be and how large, and what the status says.

The rules are those of `k8s.io/kubernetes/pkg/controller/deployment`: one step per look, the next
one when the ReplicaSets have answered. So never fewer than replicas - maxUnavailable are available
and never more than replicas + maxSurge exist.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from services.simulator.core.deployment_status import report
from services.simulator.core.fields import (
    controller_reference,
    is_deleting,
    number,
    section,
    with_metadata,
    with_spec,
)
from services.simulator.core.names import template_hash
from services.simulator.core.plan import (
    NOTHING,
    REPLICA_SETS,
    Create,
    Delete,
    Plan,
    Write,
    replace_if_changed,
)
from services.simulator.core.rollout import (
    DESIRED,
    HASH_LABEL,
    MOST,
    REVISION,
    Rollout,
    available_of,
    highest_revision,
    read_rollout,
    revision_of,
    size,
)
from shared.apimachinery.manifest import Manifest, annotations_of, name_of


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
    plan = report(rollout, now, paused=paused)
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
                REVISION: str(highest_revision(rollout.old) + 1),
            },
            "ownerReferences": [controller_reference(deployment)],
        },
        "spec": new_spec,
        "status": {"replicas": 0},
    }


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
    if new is not None and size(new) == rollout.wanted == available_of(new):
        return {name_of(one): 0 for one in rollout.old}
    if rollout.recreate:
        return {}
    return _scale_by_share(rollout, active)


def _scale_by_share(rollout: Rollout, active: Sequence[Manifest]) -> Sizes:
    total = sum(size(one) for one in active)
    change = (rollout.most if rollout.wanted else 0) - total
    # Largest first; among equals the newer one grows and the older one shrinks.
    ordered = sorted(
        active, key=lambda one: (size(one), revision_of(one) * (1 if change > 0 else -1))
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
    room = total - rollout.least_available - (size(new) - available_of(new))
    if room <= 0:
        return {}
    for one in rollout.old:
        if name_of(one) not in sizes:
            continue
        unhealthy = min(max(size(one) - available_of(one), 0), room)
        sizes[name_of(one)] -= unhealthy
        room -= unhealthy
    available = sum(available_of(one) for one in rollout.all)
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
    newest = highest_revision(rollout.old) + 1
    for one in rollout.all:
        target = sizes.get(name_of(one), size(one))
        notes = dict(annotations_of(one))
        if target or one is rollout.new:
            notes |= {DESIRED: str(rollout.wanted), MOST: str(rollout.most)}
        if one is rollout.new and revision_of(one) < newest:
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
        for one in sorted(rollout.old, key=revision_of)
        if not size(one) and not number(section(one, "status"), "replicas")
    ]
    return [Delete(REPLICA_SETS, one) for one in empty[: max(len(empty) - keep, 0)]]
