"""Which limits bear on a namespace: of its own quotas, and of groups of clusters."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from services.scheduler.core.fleet import Fleet
from shared.api.cluster_group import ClusterGroup
from shared.api.quota import FederatedResourceQuota
from shared.interpreter.quota import Nanos, hard_of


@dataclass(frozen=True, slots=True)
class Limit:
    """So much of each resource for *namespaces* (None: all) in *clusters* (None: all) together."""

    name: str
    namespaces: frozenset[str] | None
    clusters: frozenset[str] | None
    hard: Nanos

    def speaks_of(self, namespace: str) -> bool:
        return self.namespaces is None or namespace in self.namespaces


def limits_of_quota(quota: FederatedResourceQuota) -> Iterator[Limit]:
    """Yield that of all clusters, and one for each that has an assignment."""
    metadata = quota.metadata
    namespaces = frozenset({metadata.namespace})
    name = f"quota {metadata.namespace}/{metadata.name}"
    yield Limit(name, namespaces, None, hard_of(quota.spec.limits))
    for one in quota.spec.static_assignments:
        clusters = frozenset({one.cluster_name})
        yield Limit(name, namespaces, clusters, hard_of(one.limits))


def limit_of_group(group: ClusterGroup, clusters: frozenset[str]) -> Limit | None:
    """Return the limit of a group with these *clusters*; None where it has none."""
    if group.spec.quota is None:
        return None
    namespaces = frozenset(group.spec.namespaces) or None
    name = f"quota of group {group.metadata.name}"
    return Limit(name, namespaces, clusters, hard_of(group.spec.quota.limits))


def clusters_in(fleet: Fleet, group: str) -> frozenset[str]:
    """Name the clusters of a group of clusters."""
    return fleet.remember(
        ("group", group),
        lambda: frozenset(
            member.name for member in fleet.members.values() if group in member.groups
        ),
    )


def speaking_of(limits: Iterable[Limit], namespace: str) -> tuple[Limit, ...]:
    return tuple(limit for limit in limits if limit.speaks_of(namespace))
