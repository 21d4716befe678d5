"""DaemonSets: one pod on every node that may take it.

The rules are those of `k8s.io/kubernetes/pkg/controller/daemon`, without surge.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from services.simulator.core.fields import (
    entries,
    is_deleting,
    number,
    section,
    share,
    with_metadata,
    with_status,
)
from services.simulator.core.names import template_hash
from services.simulator.core.placement import Host, refusal_of
from services.simulator.core.plan import (
    DAEMON_SETS,
    NOTHING,
    PODS,
    REVISIONS,
    Create,
    Delete,
    Plan,
    Write,
    replace_if_changed,
)
from services.simulator.core.pods import (
    available_in,
    is_active,
    is_ready,
    make_pod,
    min_ready_seconds,
    node_of,
)
from services.simulator.core.statefulsets import HASH_LABEL, make_revision
from shared.apimachinery.manifest import Manifest, annotations_of, generation_of, labels_of

_GENERATION = "deprecated.daemonset.template.generation"
_TOLERATED = {
    "node.kubernetes.io/not-ready": "NoExecute",
    "node.kubernetes.io/unreachable": "NoExecute",
    "node.kubernetes.io/disk-pressure": "NoSchedule",
    "node.kubernetes.io/memory-pressure": "NoSchedule",
    "node.kubernetes.io/pid-pressure": "NoSchedule",
    "node.kubernetes.io/unschedulable": "NoSchedule",
}


@dataclass(frozen=True, slots=True)
class _Set:
    owner: Manifest
    digest: str
    wanted: frozenset[str]
    by_node: Mapping[str, Sequence[Manifest]]
    now: datetime

    def is_available(self, pod: Manifest) -> bool:
        return available_in(pod, min_ready_seconds(self.owner), self.now) == timedelta(0)

    def is_updated(self, pod: Manifest) -> bool:
        return labels_of(pod).get(HASH_LABEL) == self.digest


def plan_daemon_set(
    owner: Manifest,
    pods: Sequence[Manifest],
    revisions: Sequence[Manifest],
    hosts: Sequence[Host],
    now: datetime,
    *,
    refusal: str = "",
) -> Plan:
    """Create where one is missing, delete where none belongs, replace what is outdated."""
    if is_deleting(owner):
        return NOTHING
    digest = template_hash(section(owner, "spec", "template"))
    spec = _spec_for(owner, "")
    by_node: dict[str, list[Manifest]] = {}
    for pod in pods:
        by_node.setdefault(_target_of(pod), []).append(pod)
    found = _Set(
        owner=owner,
        digest=digest,
        wanted=frozenset(host.name for host in hosts if not refusal_of(host, spec)),
        by_node=by_node,
        now=now,
    )
    writes: list[Write] = []
    if all(labels_of(one).get(HASH_LABEL) != digest for one in revisions):
        highest = max((number(one, "revision") for one in revisions), default=0)
        notes = {_GENERATION: str(generation_of(owner))}
        writes.append(
            Create(REVISIONS, make_revision(owner, digest, highest + 1, HASH_LABEL, notes))
        )
    if not refusal:
        writes.extend(_next_steps(found))
    return _report(found, writes)


def _spec_for(owner: Manifest, node: str) -> dict[str, Any]:
    """Return the pod spec, aimed at *node* unless it is ""."""
    spec = dict(section(owner, "spec", "template", "spec"))
    tolerations = list(entries(spec, "tolerations"))
    for key, effect in _TOLERATED.items():
        tolerations.append({"key": key, "operator": "Exists", "effect": effect})
    spec["tolerations"] = tolerations
    if not node:
        return spec
    aim = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
    affinity = dict(section(spec, "affinity"))
    node_affinity = dict(section(affinity, "nodeAffinity"))
    key = "requiredDuringSchedulingIgnoredDuringExecution"
    terms = entries(section(node_affinity, key), "nodeSelectorTerms") or ({},)
    node_affinity[key] = {"nodeSelectorTerms": [{**term, **aim} for term in terms]}
    spec["affinity"] = {**affinity, "nodeAffinity": node_affinity}
    return spec


def _target_of(pod: Manifest) -> str:
    """The node it is on or, not bound yet, aims at."""
    if node_of(pod):
        return node_of(pod)
    affinity = section(pod, "spec", "affinity", "nodeAffinity")
    required = section(affinity, "requiredDuringSchedulingIgnoredDuringExecution")
    for term in entries(required, "nodeSelectorTerms"):
        for one in entries(term, "matchFields"):
            return str((one.get("values") or [""])[0])
    return ""


def _next_steps(found: _Set) -> list[Write]:
    writes: list[Write] = []
    for node, pods in found.by_node.items():
        alive = [pod for pod in pods if is_active(pod)]
        keep = 1 if node in found.wanted else 0
        ended = [pod for pod in pods if not is_active(pod) and not is_deleting(pod)]
        writes.extend(Delete(PODS, pod) for pod in (*ended, *alive[keep:]))
    writes.extend(
        Create(PODS, _make_pod(found, node))
        for node in sorted(found.wanted)
        if not any(is_active(pod) for pod in found.by_node.get(node, ()))
    )
    return writes or _update(found)


def _make_pod(found: _Set, node: str) -> Manifest:
    labels = {
        HASH_LABEL: found.digest,
        "pod-template-generation": str(generation_of(found.owner)),
    }
    template = {
        **section(found.owner, "spec", "template"),
        "spec": _spec_for(found.owner, node),
    }
    return make_pod(found.owner, template, labels)


def _update(found: _Set) -> list[Write]:
    """Replace outdated pods, so many at a time that not too many are unavailable."""
    strategy = section(found.owner, "spec", "updateStrategy")
    if strategy.get("type") == "OnDelete":
        return []
    value = section(strategy, "rollingUpdate").get("maxUnavailable", 1)
    budget = max(share(value, len(found.wanted), round_up=True), 1)
    current = [
        pod
        for node in sorted(found.wanted)
        for pod in found.by_node.get(node, ())
        if is_active(pod)
    ]
    outdated = [pod for pod in current if not found.is_updated(pod)]
    budget -= len(found.wanted) - sum(found.is_available(pod) for pod in current)
    writes: list[Write] = []
    for pod in outdated:
        # One that is down already costs nothing.
        if not found.is_available(pod):
            writes.append(Delete(PODS, pod))
        elif budget > 0:
            budget -= 1
            writes.append(Delete(PODS, pod))
    return writes


def _report(found: _Set, writes: list[Write]) -> Plan:
    there = [
        next((pod for pod in found.by_node.get(node, ()) if is_active(pod)), None)
        for node in found.wanted
    ]
    pods = [pod for pod in there if pod is not None]
    available = sum(found.is_available(pod) for pod in pods)
    counts = {
        "currentNumberScheduled": len(pods),
        "numberMisscheduled": sum(node not in found.wanted for node in found.by_node if node),
        "desiredNumberScheduled": len(found.wanted),
        "numberReady": sum(is_ready(pod) for pod in pods),
        "observedGeneration": generation_of(found.owner),
        "updatedNumberScheduled": sum(found.is_updated(pod) for pod in pods),
        "numberAvailable": available,
        "numberUnavailable": len(found.wanted) - available,
    }
    always = ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled")
    status = {
        name: count for name, count in counts.items() if count or name in (*always, "numberReady")
    }
    changed = with_status(found.owner, status)
    notes = annotations_of(found.owner)
    if _GENERATION not in notes:
        changed = with_metadata(
            changed, annotations={**notes, _GENERATION: str(generation_of(found.owner))}
        )
    later = [
        left
        for pod in pods
        if (left := available_in(pod, min_ready_seconds(found.owner), found.now))
    ]
    return Plan(
        (*writes, *replace_if_changed(DAEMON_SETS, found.owner, changed)),
        min(later, default=None),
    )
