"""Which objects have pods that found no node, as the members' room was last reckoned."""

from collections.abc import Callable, Mapping

import msgspec

from services.health.reconcilers.standings import CLUSTERS
from shared.api.cluster import UnschedulablePods
from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.store.port import Change, ChangeType, Mirror

_RESOURCES: Mapping[str, tuple[str, str]] = {
    "Deployment": ("apps", "deployments"),
    "StatefulSet": ("apps", "statefulsets"),
    "ReplicaSet": ("apps", "replicasets"),
    "ReplicationController": ("", "replicationcontrollers"),
}
"""Group and resource of the kinds whose replicas are looked after."""


class Stranding:
    """Follows the mirror; *wake* is called for the templates of which something else is known."""

    def __init__(self, mirror: Mirror, wake: Callable[[ObjectKey], None]) -> None:
        self._mirror = mirror
        self._wake = wake
        self._known: dict[str, dict[ObjectKey, UnschedulablePods]] = {}

    def start(self) -> Callable[[], None]:
        """Take what there is and follow; returns the way to stop."""
        stop = self._mirror.on_change(self._note)
        for stored in list(self._mirror.items(CLUSTERS)):
            self._note(Change(ChangeType.ADDED, stored))
        return stop

    def of(self, template: ObjectKey) -> Mapping[str, UnschedulablePods]:
        """Return what is known of a template's pods, by cluster."""
        return {name: found[template] for name, found in self._known.items() if template in found}

    def _note(self, change: Change) -> None:
        if not CLUSTERS.covers(change.stored.key):
            return
        name = change.stored.key.name
        gone = change.type is ChangeType.DELETED
        before = self._known.pop(name, {})
        after = {} if gone else _read(change.stored.manifest)
        if after:
            self._known[name] = after
        for template in before.keys() | after.keys():
            if before.get(template) != after.get(template):
                self._wake(template)


def _read(cluster: Manifest) -> dict[ObjectKey, UnschedulablePods]:
    capacity = (cluster.get("status") or {}).get("capacity") or {}
    stated = capacity.get("unschedulable") or ()
    found = {}
    for each in stated:
        try:
            one = msgspec.convert(each, UnschedulablePods)
        except msgspec.ValidationError:
            # Health itself writes it: an older or newer one knows another form.
            continue
        if one.kind in _RESOURCES:
            group, resource = _RESOURCES[one.kind]
            found[ObjectKey(group, resource, one.namespace, one.name)] = one
    return found
