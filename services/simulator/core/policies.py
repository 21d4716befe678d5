"""Statuses of what watches workloads: disruption budgets, autoscalers, ingresses, claims, CronJobs.

An autoscaler reports and does not scale: a simulated cluster has no load to measure.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from services.simulator.core.fields import (
    entries,
    is_deleting,
    number,
    section,
    share,
    with_spec,
    with_status,
    without_zeros,
)
from services.simulator.core.plan import (
    AUTOSCALERS,
    BUDGETS,
    CLAIMS,
    INGRESSES,
    NOTHING,
    VOLUMES,
    Create,
    Plan,
    Replace,
    replace_if_changed,
)
from services.simulator.core.pods import is_active, is_ready
from services.simulator.core.status import condition, set_condition
from shared.apimachinery.manifest import Manifest, generation_of, name_of, namespace_of, uid_of
from shared.clock import format_time


def plan_budget(budget: Manifest, pods: Sequence[Manifest], expected: int, now: datetime) -> Plan:
    """*pods* are those it selects, *expected* how many their workloads ask for."""
    if is_deleting(budget):
        return NOTHING
    spec, before = section(budget, "spec"), section(budget, "status")
    alive = [pod for pod in pods if is_active(pod)]
    healthy = sum(is_ready(pod) for pod in alive)
    if spec.get("maxUnavailable") is not None:
        desired = max(expected - share(spec["maxUnavailable"], expected, round_up=True), 0)
    else:
        desired = share(spec.get("minAvailable", 1), expected, round_up=True)
        if isinstance(spec.get("minAvailable", 1), int):
            expected = len(alive)
    allowed = max(healthy - desired, 0) if expected else 0
    one = condition(
        "DisruptionAllowed",
        allowed > 0,
        "SufficientPods" if allowed else "InsufficientPods",
        "",
        format_time(now),
    )
    conditions = set_condition(
        entries(before, "conditions"), {**one, "observedGeneration": generation_of(budget)}
    )
    status = {
        "conditions": conditions,
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "disruptionsAllowed": allowed,
        "expectedPods": expected,
        "observedGeneration": generation_of(budget),
    }
    return Plan(replace_if_changed(BUDGETS, budget, with_status(budget, status)))


def plan_autoscaler(autoscaler: Manifest, target: Manifest | None, now: datetime) -> Plan:
    """Say how large the target is, within the limits; never change it."""
    if is_deleting(autoscaler):
        return NOTHING
    spec, moment = section(autoscaler, "spec"), format_time(now)
    conditions: list[Any] = list(entries(section(autoscaler, "status"), "conditions"))
    if target is None:
        name = section(spec, "scaleTargetRef").get("name")
        text = (
            f'the HPA controller was unable to get the target\'s current scale: "{name}" not found'
        )
        one = condition("AbleToScale", False, "FailedGetScale", text, moment)
        conditions = set_condition(conditions, one)
        changed = with_status(autoscaler, {"desiredReplicas": 0, "conditions": conditions})
        return Plan(replace_if_changed(AUTOSCALERS, autoscaler, changed))
    current = number(section(target, "status"), "replicas")
    wanted = number(section(target, "spec"), "replicas", 1)
    desired = min(max(wanted, number(spec, "minReplicas", 1)), number(spec, "maxReplicas", wanted))
    for one in (
        condition(
            "AbleToScale", True, "ReadyForNewScale", "recommended size matches current size", moment
        ),
        condition(
            "ScalingActive",
            False,
            "ScalingDisabled",
            "a simulated cluster measures no load, so nothing is scaled",
            moment,
        ),
    ):
        conditions = set_condition(conditions, one)
    status = {
        **without_zeros({"currentReplicas": current}),
        "desiredReplicas": desired,
        "conditions": conditions,
    }
    changed = with_status(autoscaler, status)
    return Plan(replace_if_changed(AUTOSCALERS, autoscaler, changed))


def plan_ingress(ingress: Manifest, address: str) -> Plan:
    """Give it the cluster's one entry address."""
    if is_deleting(ingress):
        return NOTHING
    changed = with_status(ingress, {"loadBalancer": {"ingress": [{"ip": address}]}})
    return Plan(replace_if_changed(INGRESSES, ingress, changed))


def plan_claim(claim: Manifest, volume: Manifest | None) -> Plan:
    """Make a disk for a claim and bind the two."""
    if is_deleting(claim) or section(claim, "status").get("phase") == "Bound":
        return NOTHING
    spec = section(claim, "spec")
    name = str(spec.get("volumeName") or f"pvc-{uid_of(claim)}")
    capacity = {"storage": section(spec, "resources", "requests").get("storage", "1Gi")}
    storage_class = spec.get("storageClassName") or "standard"
    modes = list(spec.get("accessModes") or ["ReadWriteOnce"])
    bound = with_spec(claim, volumeName=name, storageClassName=storage_class)
    bound["spec"].setdefault("volumeMode", "Filesystem")
    bound["status"] = {"phase": "Bound", "accessModes": modes, "capacity": capacity}
    replace = Replace(CLAIMS, claim, bound)
    if volume is not None:
        return Plan((replace,))
    reference = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "name": name_of(claim),
        "namespace": namespace_of(claim),
        "uid": uid_of(claim),
    }
    disk: Manifest = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {
            "name": name,
            "annotations": {"pv.kubernetes.io/provisioned-by": "simulated.hanse.dev/disk"},
        },
        "spec": {
            "accessModes": modes,
            "capacity": capacity,
            "claimRef": reference,
            "persistentVolumeReclaimPolicy": "Delete",
            "storageClassName": storage_class,
            "volumeMode": spec.get("volumeMode", "Filesystem"),
            "csi": {"driver": "simulated.hanse.dev", "volumeHandle": name},
        },
        "status": {"phase": "Bound"},
    }
    return Plan((Create(VOLUMES, disk), replace))
