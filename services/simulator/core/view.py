"""The cluster's objects, found the ways controllers look for them; told of every change.

The indexes make each question cost what it answers, not what the cluster holds.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from services.simulator.core.fields import controller_of, section
from services.simulator.core.plan import PODS, SERVICES
from services.simulator.core.pods import node_of
from shared.apimachinery.manifest import (
    GroupResource,
    Manifest,
    ObjectKey,
    labels_of,
    uid_of,
)


class View:
    """Every object of the cluster; manifests are shared and must not be changed."""

    def __init__(self) -> None:
        self._objects: dict[ObjectKey, Manifest] = {}
        self._by_place: dict[tuple[GroupResource, str], dict[str, Manifest]] = defaultdict(dict)
        self._by_owner: dict[tuple[str, GroupResource], dict[ObjectKey, Manifest]] = {}
        self._by_node: dict[str, dict[ObjectKey, Manifest]] = defaultdict(dict)
        self._by_label: dict[tuple[str, str, str], dict[ObjectKey, Manifest]] = defaultdict(dict)
        self._services: dict[tuple[str, str, str], set[ObjectKey]] = defaultdict(set)

    def put(self, key: ObjectKey, manifest: Manifest) -> None:
        self.remove(key)
        self._objects[key] = manifest
        self._by_place[key.group_resource, key.namespace][key.name] = manifest
        owner = controller_of(manifest).get("uid")
        if owner:
            place = (str(owner), key.group_resource)
            self._by_owner.setdefault(place, {})[key] = manifest
        if key.group_resource == PODS:
            self._by_node[node_of(manifest)][key] = manifest
            for label in labels_of(manifest).items():
                self._by_label[key.namespace, *label][key] = manifest
        elif key.group_resource == SERVICES:
            for label in _first(section(manifest, "spec", "selector")):
                self._services[key.namespace, *label].add(key)

    def remove(self, key: ObjectKey) -> None:
        manifest = self._objects.pop(key, None)
        if manifest is None:
            return
        self._by_place[key.group_resource, key.namespace].pop(key.name, None)
        owner = controller_of(manifest).get("uid")
        if owner:
            place = (str(owner), key.group_resource)
            owned = self._by_owner[place]
            owned.pop(key, None)
            if not owned:
                del self._by_owner[place]
        if key.group_resource == PODS:
            self._by_node[node_of(manifest)].pop(key, None)
            for label in labels_of(manifest).items():
                _discard(self._by_label, (key.namespace, *label), key)
        elif key.group_resource == SERVICES:
            for label in _first(section(manifest, "spec", "selector")):
                self._services[key.namespace, *label].discard(key)

    def get(self, key: ObjectKey) -> Manifest | None:
        return self._objects.get(key)

    def find(self, resource: GroupResource, namespace: str, name: str) -> Manifest | None:
        return self._objects.get(ObjectKey(*resource, namespace, name))

    def all(self, resource: GroupResource, namespace: str = "") -> list[Manifest]:
        """Objects of one namespace, or the cluster-scoped ones; by no promised order."""
        return list(self._by_place.get((resource, namespace), {}).values())

    def owned_by(self, owner: Manifest, resource: GroupResource) -> list[Manifest]:
        """Those that *owner* controls."""
        return list(self._by_owner.get((uid_of(owner), resource), {}).values())

    def pods_on(self, node: str) -> list[Manifest]:
        """Pods bound to *node*; "" asks for those bound to none."""
        return list(self._by_node.get(node, {}).values())

    def pods_with(self, namespace: str, labels: Mapping[str, str]) -> list[Manifest]:
        """Pods that carry all of *labels*, which must not be empty."""
        (first, *rest) = labels.items()
        found = self._by_label.get((namespace, *first), {}).values()
        return [pod for pod in found if all(labels_of(pod).get(k) == v for k, v in rest)]

    def services_of(self, pod: Manifest) -> Iterable[ObjectKey]:
        """Services that may select *pod*: their first label is among the pod's."""
        namespace = str(pod["metadata"].get("namespace") or "")
        for label in labels_of(pod).items():
            yield from self._services.get((namespace, *label), ())


def _first(selector: Mapping[str, str]) -> list[tuple[str, str]]:
    return list(selector.items())[:1]


def _discard(
    index: dict[tuple[str, str, str], dict[ObjectKey, Manifest]],
    place: tuple[str, str, str],
    key: ObjectKey,
) -> None:
    found = index.get(place)
    if found is not None:
        found.pop(key, None)
        if not found:
            del index[place]
