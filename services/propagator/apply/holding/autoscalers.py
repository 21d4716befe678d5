"""Which objects of a member have an autoscaler there: then their replicas are its office.

All HorizontalPodAutoscalers of the member are watched, its own as well as those that Hanse brought,
once there is anything they could scale. So it is known before the first order is carried out, it
costs no call per object, and whoever is waiting hears when an autoscaler comes or goes. Where they
cannot be listed, whose replicas were the member's stay so, and the field ownership of an object
tells that an autoscaler wrote it.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from services.propagator.apply.objects import TrackedObject
from services.propagator.apply.watches import KindWatch, begin
from services.propagator.core.observed import LiveObject, read_live
from services.propagator.core.ownership import has_scale, is_members
from shared.api.ownership import OwnershipTerms
from shared.apimachinery.manifest import GroupVersionKind, ObjectKey, name_of, namespace_of
from shared.memberapi.port import MemberApi, MemberListing, ResourceType

_KIND = ResourceType(
    GroupVersionKind("autoscaling", "v2", "HorizontalPodAutoscaler"),
    "horizontalpodautoscalers",
    namespaced=True,
)
_Place = tuple[str, str]
_Target = tuple[str, str, str, str]
"""Group, kind, namespace, name."""


class Autoscalers:
    """Of one member; a sink of its own watch."""

    def __init__(
        self,
        cluster: str,
        api: MemberApi,
        group: asyncio.TaskGroup,
        changed: Callable[[ObjectKey], None],
    ) -> None:
        self._watch = KindWatch(cluster, api, _KIND, self, selector="", read=read_live)
        self._group = group
        self._changed = changed
        self._task: asyncio.Task[None] | None = None
        self._targets: dict[_Place, _Target] = {}
        self._scaled: dict[_Target, set[_Place]] = {}
        self._resources: dict[tuple[str, str], str] = {}

    def ensure(self, kind: ResourceType) -> None:
        """Watch, if autoscalers may scale objects of *kind*."""
        if has_scale(kind.gvk):
            self._resources[kind.gvk.group, kind.gvk.kind] = kind.resource
            if self._task is None:
                self._task = begin(self._group, self._watch.run(), name="watch-autoscalers")

    async def decide(self, tracked: TrackedObject, terms: OwnershipTerms) -> bool:
        """Whether the member decides how many replicas of the object run."""
        kind = tracked.kind
        assert kind is not None
        if not has_scale(kind.gvk):
            return False
        autoscaled = terms.replica_ownership.owner == "Auto" and await self._is_scaled(tracked)
        return is_members(terms.replica_ownership, autoscaled=autoscaled)

    async def _is_scaled(self, tracked: TrackedObject) -> bool:
        kind, key = tracked.kind, tracked.key
        assert kind is not None
        self.ensure(kind)
        if not self._watch.answered.is_set():
            await self._watch.answered.wait()
        if not (self._watch.synced or self._watch.absent):
            # Not seeing any is not the same as there being none.
            return tracked.delegated or (tracked.seen is not None and tracked.seen.autoscaled)
        return (kind.gvk.group, kind.gvk.kind, key.namespace, key.name) in self._scaled

    def on_listing(self, _kind: ResourceType, listing: MemberListing) -> None:
        shown = {
            (namespace_of(item), name_of(item)): _target(namespace_of(item), item.get("spec"))
            for item in listing.items
        }
        for place in self._targets.keys() - shown.keys():
            self._note(place, None)
        for place, target in shown.items():
            self._note(place, target)

    def on_event(self, _kind: ResourceType, event: str, live: LiveObject) -> None:
        place = live.metadata.namespace, live.metadata.name
        target = None
        if event != "DELETED":
            target = _target(place[0], msgspec.json.decode(live.spec))
        self._note(place, target)

    def _note(self, place: _Place, target: _Target | None) -> None:
        before = self._targets.get(place)
        if before == target:
            return
        if before is not None:
            del self._targets[place]
            others = self._scaled[before]
            others.discard(place)
            if not others:
                del self._scaled[before]
                self._tell(before)
        if target is not None:
            self._targets[place] = target
            if target not in self._scaled:
                self._scaled[target] = set()
                self._tell(target)
            self._scaled[target].add(place)

    def _tell(self, target: _Target) -> None:
        group, kind, namespace, name = target
        resource = self._resources.get((group, kind))
        if resource is not None:
            self._changed(ObjectKey(group, resource, namespace, name))


def _target(namespace: str, spec: Any) -> _Target | None:
    found = (spec or {}).get("scaleTargetRef") or {}
    group = str(found.get("apiVersion") or "").rpartition("/")[0]
    return group, str(found.get("kind") or ""), namespace, str(found.get("name") or "")
