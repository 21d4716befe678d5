"""Where a kind keeps its replicas, and what one replica asks of a cluster."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.apimachinery.manifest import Manifest, copy
from shared.interpreter.demand import ANY_NODE, NodeChoice


@dataclass(frozen=True, slots=True)
class ReplicaDemand:
    """So many replicas, each asking for `requests` (resource name -> quantity, as written).

    `requests` sums the containers and takes the largest init container where that is more; `nodes`
    says which nodes they may be bound to.
    `completions` of a Job and `ordinals_start` of a StatefulSet are divided with them; what is
    `indivisible` goes to one cluster whole.
    """

    count: int
    requests: Mapping[str, str] = field(default_factory=dict)
    nodes: NodeChoice = ANY_NODE
    completions: int | None = None
    ordinals_start: int | None = None
    indivisible: bool = False


@dataclass(frozen=True, slots=True)
class ReplicaPlace:
    """The path of the number of replicas within an object; `default` where it is not given."""

    path: tuple[str, ...]
    default: int = 1
    says_default: bool = True
    """Whether to write the default is to say the same. Not so for a Job: one that says its
    parallelism, but no completions, is another kind of Job."""


_SPEC_REPLICAS = ReplicaPlace(("spec", "replicas"))

BUILT_IN: Mapping[tuple[str, str], ReplicaPlace] = {
    ("apps", "Deployment"): _SPEC_REPLICAS,
    ("apps", "StatefulSet"): _SPEC_REPLICAS,
    ("apps", "ReplicaSet"): _SPEC_REPLICAS,
    ("", "ReplicationController"): _SPEC_REPLICAS,
    ("batch", "Job"): ReplicaPlace(("spec", "parallelism"), says_default=False),
}
"""By group and kind."""


def can_be_stopped(group: str, kind: str) -> bool:
    """Whether no replicas of a built-in kind means that nothing of it runs."""
    return BUILT_IN.get((group, kind)) is _SPEC_REPLICAS


def stated_replicas(place: ReplicaPlace | None, manifest: Manifest) -> int | None:
    """Return the number that stands at *place*; None where none does."""
    found: Any = manifest
    for name in place.path if place is not None else ():
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, int) else None


def without_replicas(place: ReplicaPlace | None, manifest: Manifest) -> Manifest:
    """Return *manifest* without a number at *place*: a copy, if there is one."""
    if place is None or stated_replicas(place, manifest) is None:
        return manifest
    changed = copy(manifest)
    *parents, last = place.path
    within = changed
    for name in parents:
        within = within[name]
    del within[last]
    return changed
