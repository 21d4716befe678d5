"""The fleet as policies see it, read anew only when a cluster or a group has changed."""

from typing import TypeVar

from services.traffic.core.terms import Fleet
from shared.api.cluster import Cluster
from shared.api.cluster_group import ClusterGroup
from shared.api.meta import GROUP, read
from shared.apimachinery.manifest import GroupResource, Manifest
from shared.errors import InvalidObject
from shared.store.port import Change, Mirror, Scope

CLUSTERS = Scope.of(GroupResource(GROUP, "clusters"))
GROUPS = Scope.of(GroupResource(GROUP, "clustergroups"))

Own = TypeVar("Own", Cluster, ClusterGroup)


class FleetView:
    """Follows the mirror; what cannot be read is not there."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self._fleet: Fleet | None = None
        self.stop = mirror.on_change(self._heard)

    def now(self) -> Fleet:
        if self._fleet is None:
            groups = self._read(GROUPS, ClusterGroup)
            self._fleet = Fleet.of(self._read(CLUSTERS, Cluster), groups)
        return self._fleet

    def _heard(self, change: Change) -> None:
        if GROUPS.covers(change.stored.key) or (
            CLUSTERS.covers(change.stored.key) and matters(change)
        ):
            self._fleet = None

    def _read(self, scope: Scope, struct: type[Own]) -> list[Own]:
        found = []
        for stored in self._mirror.items(scope):
            try:
                found.append(read(stored.manifest, struct))
            except InvalidObject:
                continue
        return found


def matters(change: Change) -> bool:
    """Whether a change of a Cluster means anything for traffic: most only say how it does."""
    before = change.previous
    return before is None or _facets(before.manifest) != _facets(change.stored.manifest)


def _facets(manifest: Manifest) -> tuple[object, ...]:
    metadata, status = manifest["metadata"], manifest.get("status") or {}
    return (
        manifest.get("spec"),
        metadata.get("labels"),
        metadata.get("deletionTimestamp"),
        status.get("taints"),
        status.get("latencies"),
    )
