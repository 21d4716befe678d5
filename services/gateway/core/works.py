"""A `Work` made of what a member was told and what it reported. Pure."""

import uuid
from typing import Any

import msgspec

from shared.api.binding import DRIFTED, ObjectReference, binding_name, is_built_in
from shared.api.drift import DriftReport
from shared.api.meta import API_VERSION, GROUP, Condition, section
from shared.api.work import WorkSpec, WorkStatus
from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.events.work import WorkOrder, WorkReport

APPLIED = "Applied"
WORKS = "works"
CLUSTER_WORKS = "clusterworks"
HIDDEN = "<hidden>"
RESOURCES = (WORKS, CLUSTER_WORKS)


def work_key(cluster: str, key: ObjectKey, kind: str) -> ObjectKey:
    """Where the view shows the work of one object in one member."""
    resource = WORKS if key.namespace else CLUSTER_WORKS
    name = binding_name(key, kind, built_in=is_built_in(key.group))
    return ObjectKey(GROUP, resource, key.namespace, f"{cluster}.{name}")


def work_manifest(
    key: ObjectKey, cluster: str, order: WorkOrder, sequence: int, report: WorkReport | None
) -> Manifest:
    """Return the Work at *key* without its manifest; *sequence* is the order's in WORK."""
    metadata = {
        "name": key.name,
        "uid": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{key}/{order.template_uid}")),
        "generation": sequence,
    }
    if key.namespace:
        metadata["namespace"] = key.namespace
    if report is not None:
        metadata["creationTimestamp"] = _to_the_second(report.observed_time)
    spec = WorkSpec(
        cluster=cluster,
        resource=ObjectReference(
            api_version=order.api_version,
            kind=order.kind,
            resource=order.resource,
            namespace=order.namespace,
            name=order.name,
            uid=order.template_uid,
            generation=order.template_generation,
        ),
        deleted=order.is_tombstone,
    )
    return {
        "apiVersion": API_VERSION,
        "kind": "Work" if key.namespace else "ClusterWork",
        "metadata": metadata,
        "spec": section(spec),
        "status": section(_status(report, sequence)),
    }


def with_manifest(work: Manifest, order: WorkOrder) -> Manifest:
    """Return *work* with what the member must hold.

    Of a Secret only the names are shown: who may read works may not read every secret.
    """
    if order.is_tombstone:
        return work
    manifest = msgspec.json.decode(order.manifest)
    if (order.api_version, order.kind) == ("v1", "Secret"):
        manifest = {name: _hidden(name, value) for name, value in manifest.items()}
    return {**work, "spec": {**work["spec"], "manifest": manifest}}


def _hidden(part: str, value: Any) -> Any:
    if part not in ("data", "stringData"):
        return value
    return dict.fromkeys(value, HIDDEN) if isinstance(value, dict) else HIDDEN


def _to_the_second(time: str) -> str:
    """`metav1.Time` of a `metav1.MicroTime`."""
    return time.partition(".")[0].removesuffix("Z") + "Z" if time else ""


def _status(report: WorkReport | None, sequence: int) -> WorkStatus:
    if report is None:
        return WorkStatus()
    current = report.generation == sequence
    condition = Condition(
        type=APPLIED,
        status=("True" if report.applied else "False") if current else "Unknown",
        reason=report.reason or ("Applied" if report.applied else "NotApplied"),
        message=report.message if current else "the member has not reported on the last order yet",
        last_transition_time=_to_the_second(report.observed_time),
        observed_generation=report.generation,
    )
    conditions = (condition,) if not report.drift else (condition, _drifted(report.drift, report))
    return WorkStatus(
        observed_generation=report.generation,
        conditions=conditions,
        health=report.health,
        observed_time=report.observed_time,
    )


def _drifted(drift: DriftReport, report: WorkReport) -> Condition:
    return Condition(
        type=DRIFTED,
        status="True",
        reason=drift.state,
        message=drift.text,
        last_transition_time=_to_the_second(drift.since),
        observed_generation=report.generation,
    )
