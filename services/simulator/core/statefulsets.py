"""StatefulSets: pods with a number, a name and disks of their own, one after the other.

The rules are those of `k8s.io/kubernetes/pkg/controller/statefulset`: with OrderedReady a pod
is only touched while all those before it are ready; an update goes from the last ordinal down.
"""

from collections.abc import Collection, Mapping, Sequence
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
    with_status,
)
from services.simulator.core.names import template_hash
from services.simulator.core.plan import (
    CLAIMS,
    NOTHING,
    PODS,
    REVISIONS,
    STATEFUL_SETS,
    Create,
    Delete,
    Plan,
    Write,
    replace_if_changed,
)
from services.simulator.core.pods import (
    available_in,
    is_finished,
    is_ready,
    make_pod,
    min_ready_seconds,
)
from shared.apimachinery.manifest import Manifest, generation_of, labels_of, name_of

HASH_LABEL = "controller-revision-hash"
INDEX_LABEL = "apps.kubernetes.io/pod-index"
NAME_LABEL = "statefulset.kubernetes.io/pod-name"


def make_revision(
    owner: Manifest, digest: str, number_: int, label: str, notes: Mapping[str, str] | None = None
) -> Manifest:
    """Return the ControllerRevision that remembers a template, for `kubectl rollout`."""
    template = section(owner, "spec", "template")
    labels = {**(section(template, "metadata").get("labels") or {}), label: digest}
    metadata: dict[str, Any] = {
        "name": f"{name_of(owner)}-{digest}",
        "namespace": owner["metadata"]["namespace"],
        "labels": labels,
        "ownerReferences": [controller_reference(owner)],
    }
    if notes:
        metadata["annotations"] = dict(notes)
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": metadata,
        "data": {"spec": {"template": {**template, "$patch": "replace"}}},
        "revision": number_,
    }


@dataclass(frozen=True, slots=True)
class _Set:
    """A StatefulSet beside its pods."""

    owner: Manifest
    pods: Mapping[int, Manifest]
    start: int
    replicas: int
    current_revision: str
    update_revision: str
    now: datetime

    @property
    def ordinals(self) -> range:
        return range(self.start, self.start + self.replicas)

    @property
    def ordered(self) -> bool:
        return section(self.owner, "spec").get("podManagementPolicy") != "Parallel"

    def healthy(self, ordinal: int) -> bool:
        """Ready for long enough to go on to the next one."""
        pod = self.pods.get(ordinal)
        return pod is not None and not is_deleting(pod) and self.is_available(pod)

    def is_available(self, pod: Manifest) -> bool:
        return available_in(pod, min_ready_seconds(self.owner), self.now) == timedelta(0)

    def revision_for(self, ordinal: int) -> str:
        """A pod below the partition is made anew as it was."""
        return self.update_revision if ordinal >= self.first_to_update else self.current_revision

    @property
    def first_to_update(self) -> int:
        rolling = section(self.owner, "spec", "updateStrategy", "rollingUpdate")
        return number(rolling, "partition")


def plan_stateful_set(
    owner: Manifest,
    pods: Sequence[Manifest],
    claims: Collection[str],
    revisions: Sequence[Manifest],
    now: datetime,
    *,
    refusal: str = "",
) -> Plan:
    """Return the next step. *claims* are names of the PersistentVolumeClaims that exist.

    *revisions* are its ControllerRevisions; *refusal* is as for a ReplicaSet.
    """
    if is_deleting(owner):
        return NOTHING
    digest = f"{name_of(owner)}-{template_hash(section(owner, 'spec', 'template'))}"
    status, spec = section(owner, "status"), section(owner, "spec")
    found = _Set(
        owner=owner,
        pods={_ordinal(pod): pod for pod in pods},
        start=number(section(spec, "ordinals"), "start"),
        replicas=number(spec, "replicas", 1),
        current_revision=str(status.get("currentRevision") or digest),
        update_revision=digest,
        now=now,
    )
    writes: list[Write] = []
    if all(name_of(one) != digest for one in revisions):
        highest = max((number(one, "revision") for one in revisions), default=0)
        short = digest.removeprefix(name_of(owner) + "-")
        revision = make_revision(owner, short, highest + 1, "controller.kubernetes.io/hash")
        writes.append(Create(REVISIONS, revision))
    if not refusal:
        writes.extend(_next_steps(found, claims, revisions))
    return _report(found, writes)


def _ordinal(pod: Manifest) -> int:
    text = name_of(pod).rpartition("-")[2]
    return int(text) if text.isdigit() else -1


def _next_steps(found: _Set, claims: Collection[str], revisions: Sequence[Manifest]) -> list[Write]:
    writes: list[Write] = []
    # 1. Replace what ended, create what is missing, in order.
    for ordinal in found.ordinals:
        pod = found.pods.get(ordinal)
        if pod is None:
            writes.extend(_create(found, ordinal, claims, revisions))
        elif is_finished(pod) and not is_deleting(pod):
            writes.append(Delete(PODS, pod))
        if found.ordered and not found.healthy(ordinal):
            return writes
    # 2. Remove what is too much, the last first.
    surplus = sorted((one for one in found.pods if one not in found.ordinals), reverse=True)
    for ordinal in surplus:
        if not is_deleting(found.pods[ordinal]):
            writes.append(Delete(PODS, found.pods[ordinal]))
        if found.ordered:
            return writes
    # 3. Update one pod at a time, the last first.
    if not writes and section(found.owner, "spec", "updateStrategy").get("type") != "OnDelete":
        writes.extend(_update(found))
    return writes


def _update(found: _Set) -> list[Write]:
    for ordinal in reversed(found.ordinals):
        if ordinal < found.first_to_update:
            return []
        pod = found.pods[ordinal]
        if labels_of(pod).get(HASH_LABEL) != found.update_revision:
            return [] if is_deleting(pod) else [Delete(PODS, pod)]
        if not found.healthy(ordinal):
            return []
    return []


def _template_of(found: _Set, revision: str, revisions: Sequence[Manifest]) -> Mapping[str, Any]:
    if revision != found.update_revision:
        for one in revisions:
            if name_of(one) == revision:
                return section(one, "data", "spec", "template")
    return section(found.owner, "spec", "template")


def _create(
    found: _Set, ordinal: int, claims: Collection[str], revisions: Sequence[Manifest]
) -> list[Write]:
    owner, name = found.owner, f"{name_of(found.owner)}-{ordinal}"
    revision = found.revision_for(ordinal)
    labels = {INDEX_LABEL: str(ordinal), HASH_LABEL: revision, NAME_LABEL: name}
    pod = make_pod(owner, _template_of(found, revision, revisions), labels, name=name)
    spec = pod["spec"]
    spec["hostname"] = name
    if section(owner, "spec").get("serviceName"):
        spec["subdomain"] = section(owner, "spec")["serviceName"]
    writes: list[Write] = []
    volumes = {str(one.get("name")): one for one in entries(spec, "volumes")}
    for template in entries(section(owner, "spec"), "volumeClaimTemplates"):
        volume = str(section(template, "metadata").get("name"))
        claim = f"{volume}-{name}"
        volumes[volume] = {
            "name": volume,
            "persistentVolumeClaim": {"claimName": claim},
        }
        if claim not in claims:
            writes.append(Create(CLAIMS, _make_claim(owner, template, claim)))
    if volumes:
        spec["volumes"] = list(volumes.values())
    return [*writes, Create(PODS, pod)]


def _make_claim(owner: Manifest, template: Mapping[str, Any], name: str) -> Manifest:
    """Disks outlive their pods and, unless asked otherwise, the StatefulSet."""
    labels = section(owner, "spec", "selector", "matchLabels")
    given = section(template, "metadata")
    metadata: dict[str, Any] = {
        "name": name,
        "namespace": owner["metadata"]["namespace"],
        "labels": {**(given.get("labels") or {}), **labels},
    }
    if given.get("annotations"):
        metadata["annotations"] = dict(given["annotations"])
    retention = section(owner, "spec", "persistentVolumeClaimRetentionPolicy")
    if retention.get("whenDeleted") == "Delete":
        reference = controller_reference(owner)
        reference.pop("blockOwnerDeletion")
        metadata["ownerReferences"] = [reference]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata,
        "spec": {"volumeMode": "Filesystem", **section(template, "spec")},
        "status": {"phase": "Pending"},
    }


def _report(found: _Set, writes: list[Write]) -> Plan:
    """Count what there is now; what *writes* change is counted when it has happened."""
    alive = [pod for pod in found.pods.values() if not is_finished(pod)]
    at = {
        revision: sum(labels_of(pod).get(HASH_LABEL) == revision for pod in alive)
        for revision in (found.current_revision, found.update_revision)
    }
    current = found.current_revision
    ready = sum(is_ready(pod) for pod in alive)
    complete = at[found.update_revision] == found.replicas == len(alive) == ready
    if complete and not found.first_to_update:
        current = found.update_revision
    rolling = current != found.update_revision
    status = {
        "observedGeneration": generation_of(found.owner),
        "replicas": len(alive),
        "readyReplicas": ready,
        "availableReplicas": sum(found.is_available(pod) for pod in alive),
        "currentReplicas": at[found.current_revision] if rolling else at[found.update_revision],
        "updatedReplicas": at[found.update_revision],
        "currentRevision": current,
        "updateRevision": found.update_revision,
        "collisionCount": 0,
    }
    always = ("replicas", "availableReplicas", "collisionCount")
    status = {name: value for name, value in status.items() if value or name in always}
    changed = with_status(found.owner, status)
    later = [
        left
        for pod in sorted(alive, key=created_at)
        if (left := available_in(pod, min_ready_seconds(found.owner), found.now))
    ]
    return Plan(
        (*writes, *replace_if_changed(STATEFUL_SETS, found.owner, changed)),
        min(later, default=None),
    )
