"""Where a kind keeps its replicas, and what one replica asks of a cluster."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.apimachinery.manifest import GroupVersionKind, Manifest, copy


@dataclass(frozen=True, slots=True)
class ReplicaDemand:
    """So many replicas, each asking for `requests` (resource name -> quantity, as written).

    `requests` sums the containers and takes the largest init container where that is more.
    """

    count: int
    requests: Mapping[str, str] = field(default_factory=dict)


# group, kind -> path of the number of replicas within the object.
_REPLICAS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("apps", "Deployment"): ("spec", "replicas"),
    ("apps", "StatefulSet"): ("spec", "replicas"),
    ("apps", "ReplicaSet"): ("spec", "replicas"),
    ("", "ReplicationController"): ("spec", "replicas"),
    ("batch", "Job"): ("spec", "parallelism"),
}


def has_replicas(gvk: GroupVersionKind) -> bool:
    return (gvk.group, gvk.kind) in _REPLICAS


def replicas_path(gvk: GroupVersionKind) -> tuple[str, ...] | None:
    """Where the number of replicas is within an object of the kind; None where there is none."""
    return _REPLICAS.get((gvk.group, gvk.kind))


def with_replicas(manifest: Manifest, count: int) -> Manifest:
    """Return a copy that asks for *count* replicas; the kind must have them."""
    changed = copy(manifest)
    *parents, last = _REPLICAS[GroupVersionKind.of(manifest)[::2]]
    place = changed
    for name in parents:
        place = place.setdefault(name, {})
    place[last] = count
    return changed
