"""Whose addresses count, as traffic policies in the mirror say now."""

from collections.abc import Iterable
from dataclasses import replace

from services.health.core.carriers import SHOWN, Takers, idle, services_behind, takers_of
from services.health.core.fold import Folded
from shared.api.meta import GROUP, read
from shared.api.traffic_policy import TRAFFIC_POLICIES, TrafficPolicy
from shared.apimachinery.manifest import GroupResource, Manifest, ObjectKey
from shared.errors import InvalidObject
from shared.store.port import Change, Mirror, Scope, Stored

POLICIES = Scope.of(GroupResource(GROUP, TRAFFIC_POLICIES))


class Carriers:
    """Looks only at what shows addresses, and there only at policies of its namespace."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror

    def without_idle(self, key: ObjectKey, manifest: Manifest, folded: Folded) -> Folded:
        """Have clusters without a share of the traffic count as those that nobody reaches."""
        if (key.group, key.resource) not in SHOWN:
            return folded
        stored = list(self._mirror.items(Scope(GROUP, TRAFFIC_POLICIES, key.namespace)))
        if not stored:
            return folded
        found = idle(manifest, folded.reports, _takers(stored))
        return replace(folded, silent=folded.silent | found) if found else folded

    def concerned(self, change: Change) -> Iterable[ObjectKey]:
        """The templates whose addresses may be others, now that a policy has changed."""
        key = change.stored.key
        before = _takers([change.previous] if change.previous is not None else [])
        after = _takers([change.stored])
        services = {one for one in {*before, *after} if before.get(one) != after.get(one)}
        if change.type == "DELETED":
            services = set(before) | set(after)
        for name in sorted(services):
            yield ObjectKey("", "services", key.namespace, name)
        if services:
            for one in self._mirror.items(Scope("networking.k8s.io", "ingresses", key.namespace)):
                if services & services_behind(one.manifest):
                    yield one.key


def _takers(stored: Iterable[Stored]) -> Takers:
    found = []
    for one in stored:
        try:
            found.append(read(one.manifest, TrafficPolicy))
        except InvalidObject:
            continue
    return takers_of(found)
