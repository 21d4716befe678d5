"""A Deployment beside its ReplicaSets, as every step of a rollout looks at it."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.simulator.core.fields import created_at, number, section, share
from services.simulator.core.names import template_hash
from shared.apimachinery.manifest import Manifest, annotations_of, labels_of, name_of

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


def available_of(replica_set: Manifest) -> int:
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


def revision_of(replica_set: Manifest) -> int:
    text = annotations_of(replica_set).get(REVISION, "0")
    return int(text) if text.isdigit() else 0


def highest_revision(replica_sets: Sequence[Manifest]) -> int:
    return max((revision_of(one) for one in replica_sets), default=0)
