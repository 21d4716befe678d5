"""Pods that found no node: whose they are, how many, and since when.

A Deployment's pods belong to a ReplicaSet that bears the Deployment's name and a hash, which its
pods have as a label.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import msgspec

from services.health.core.fold import Folded
from shared.api.binding import ClusterReport, ResourceBinding
from shared.api.cluster import UnschedulablePods
from shared.apimachinery.manifest import Manifest, labels_of, metadata_of, namespace_of
from shared.interpreter.health import section_of

OWNERS_MAX = 200
_HASH = "pod-template-hash"

Owner = tuple[str, str, str]
"""Namespace, kind and name."""


def unschedulable_pods(pods: Iterable[Manifest]) -> tuple[UnschedulablePods, ...]:
    """Gather them by owner; of many owners those with the most."""
    found: dict[Owner, list[str]] = {}
    for pod in pods:
        since = _since(pod)
        owner = _owner(pod) if since else None
        if owner is not None:
            found.setdefault(owner, []).append(since)
    told = [
        UnschedulablePods(
            namespace=owner[0], kind=owner[1], name=owner[2], count=len(times), since=max(times)
        )
        for owner, times in found.items()
    ]
    most = sorted(told, key=lambda one: (-one.count, one.namespace, one.kind, one.name))
    return tuple(most[:OWNERS_MAX])


def _since(pod: Manifest) -> str:
    status = section_of(pod, "status")
    if status.get("phase") != "Pending" or metadata_of(pod).get("deletionTimestamp"):
        return ""
    for condition in status.get("conditions") or ():
        if not isinstance(condition, Mapping) or condition.get("type") != "PodScheduled":
            continue
        if (condition.get("status"), condition.get("reason")) == ("False", "Unschedulable"):
            return str(condition.get("lastTransitionTime") or "")
    return ""


def _owner(pod: Manifest) -> Owner | None:
    for owner in metadata_of(pod).get("ownerReferences") or ():
        if not isinstance(owner, Mapping) or owner.get("controller") is not True:
            continue
        kind, name = str(owner.get("kind")), str(owner.get("name"))
        hashed = labels_of(pod).get(_HASH)
        if kind == "ReplicaSet" and hashed and name.endswith(f"-{hashed}"):
            kind, name = "Deployment", name.removesuffix(f"-{hashed}")
        return namespace_of(pod), kind, name
    return None


def with_unschedulable(
    folded: Folded, binding: ResourceBinding, stranded: Mapping[str, UnschedulablePods]
) -> Folded:
    """Note in the reports, by cluster, how many pods found no node, where the policy asks."""
    if binding.spec.auto_migration is None or not stranded:
        return folded
    return replace(
        folded, reports=tuple(_noted(one, stranded.get(one.cluster)) for one in folded.reports)
    )


def _noted(report: ClusterReport, found: UnschedulablePods | None) -> ClusterReport:
    if found is None or report.health == "Unknown":
        return report
    return msgspec.structs.replace(
        report, unschedulable=found.count, unschedulable_since=found.since
    )
