"""Looking into a namespace, or for objects of a kind, before it is deleted."""

from services.propagator.apply.objects import Objects, TrackedObject
from services.propagator.core.marks import UNMANAGED_SELECTOR
from services.propagator.core.residents import (
    defined_by,
    inhabiting,
    is_anothers,
    is_definition,
    takes_others_along,
)
from shared.apimachinery.manifest import name_of, namespace_of
from shared.errors import MemberRefused
from shared.memberapi.port import MemberApi, ResourceType

_NOT_THERE = (404, 405)


class Residents:
    """Of one member. Costs one list per kind that the member serves: namespaces seldom go."""

    def __init__(self, api: MemberApi, objects: Objects) -> None:
        self._api = api
        self._objects = objects

    async def ordered(self, tracked: TrackedObject) -> str:
        """Name an object that is to be in the member and would go with the definition *tracked*.

        Two bindings know nothing of each other: one may take a definition away, or move it, while
        another still wants an object of its kind there.
        """
        defined = await self._defined(tracked)
        if defined is None:
            return ""
        for one in self._objects:
            key = one.key
            same = (key.group, key.resource) == (defined.gvk.group, defined.resource)
            if same and (not one.deleted or one.arrived is not None):
                place = f"{key.namespace}/" if key.namespace else ""
                return f"{defined.resource}.{defined.gvk.group} {place}{key.name}"
        return ""

    async def find(self, tracked: TrackedObject) -> str:
        """Name something that is not Hanse's and would go too; empty where there is nothing."""
        kind = tracked.kind
        assert kind is not None
        if not takes_others_along(kind):
            return ""
        if is_definition(kind):
            defined = await self._defined(tracked)
            return await self._first(defined, "") if defined is not None else ""
        for one in inhabiting(await self._api.discover()):
            found = await self._first(one, tracked.key.name)
            if found:
                return found
        return ""

    async def _defined(self, tracked: TrackedObject) -> ResourceType | None:
        kind = tracked.kind
        assert kind is not None
        if not is_definition(kind):
            return None
        live = await self._api.get(kind, "", tracked.key.name)
        return defined_by(live) if live is not None else None

    async def _first(self, kind: ResourceType, namespace: str) -> str:
        try:
            listing = await self._api.list(
                kind, namespace=namespace, label_selector=UNMANAGED_SELECTOR
            )
        except MemberRefused as err:
            # Whoever may not look does not know that nothing is there.
            return "" if err.status in _NOT_THERE else f"{kind.resource}, which may not be listed"
        for item in listing.items:
            if is_anothers(kind, item):
                place = namespace_of(item)
                return f"{kind.resource} {place + '/' if place else ''}{name_of(item)}"
        return ""
