"""What a command is about: a template of the hub, its rollout and its revisions."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from hanse.kind_names import find_kind
from shared.api.binding import binding_name, is_built_in
from shared.api.interpreter import ResourceInterpreter
from shared.api.meta import read
from shared.api.revision import BINDING_LABEL, ResourceRevision, binding_label
from shared.api.rollout import ResourceRollout
from shared.api.scheme import kind_named
from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.errors import InvalidObject, MemberRefused
from shared.interpreter.registry import read_declaration, ready_made
from shared.interpreter.replicas import ReplicaPlace
from shared.memberapi.port import MemberApi, ResourceType

ATTEMPTS = 10
"""How often a write is made again that met another one: the status is written all the time."""


def hanse_kind(name: str, *, namespaced: bool) -> ResourceType:
    """The type of one of Hanse's kinds that come in both scopes, such as `ResourceRollout`."""
    entry = kind_named(name if namespaced else f"Cluster{name}")
    assert entry is not None, "the commands name kinds of the scheme"
    return ResourceType(entry.gvk, entry.resource, namespaced=namespaced)


@dataclass(frozen=True, slots=True)
class Subject:
    """One template as the user named it."""

    hub: MemberApi
    kind: ResourceType
    namespace: str
    name: str

    @classmethod
    async def find(cls, hub: MemberApi, named: str, namespace: str) -> "Subject":
        """Read KIND/NAME; raises `InvalidObject` for a kind that the hub does not serve."""
        word, _, name = named.partition("/")
        kind = await find_kind(hub, word)
        return cls(hub, kind, namespace if kind.namespaced else "", name)

    def __str__(self) -> str:
        where = f" in {self.namespace}" if self.namespace else ""
        return f"{self.kind.gvk.kind.lower()}/{self.name}{where}"

    @property
    def binding(self) -> str:
        """The name of its binding, which is the rollout's too."""
        group = self.kind.gvk.group
        key = ObjectKey(group, self.kind.resource, self.namespace, self.name)
        return binding_name(key, self.kind.gvk.kind, built_in=is_built_in(group))

    async def replica_place(self, template: Manifest) -> ReplicaPlace | None:
        """Where *template* keeps its replicas, by the interpreters that the hub has."""
        kind = kind_named("ResourceInterpreter")
        assert kind is not None, "it is in the scheme"
        listing = await self.hub.list(ResourceType(kind.gvk, kind.resource, namespaced=False))
        declared = []
        for one in listing.items:
            with suppress(InvalidObject):
                declared.append(read_declaration(read(one, ResourceInterpreter)))
        return ready_made().with_declared(declared).of(template).replicas

    async def template(self) -> Manifest:
        found = await self.hub.get(self.kind, self.namespace, self.name)
        if found is None:
            raise InvalidObject(f"there is no {self}")
        return found

    async def rollout(self) -> ResourceRollout:
        """Raise `InvalidObject` where there is none."""
        kind = hanse_kind("ResourceRollout", namespaced=self.kind.namespaced)
        found = await self.hub.get(kind, self.namespace, self.binding)
        if found is None:
            await self.template()
            raise InvalidObject(f"no policy with a rollout selects {self}")
        return read(found, ResourceRollout)

    async def revisions(self) -> Mapping[int, ResourceRevision]:
        """By number, the lowest first."""
        kind = hanse_kind("ResourceRevision", namespaced=self.kind.namespaced)
        label = f"{BINDING_LABEL}={binding_label(self.binding)}"
        listing = await self.hub.list(kind, label_selector=label, namespace=self.namespace)
        found = [read(one, ResourceRevision) for one in listing.items]
        mine = [one for one in found if self._is_mine(one)]
        return {one.spec.revision: one for one in sorted(mine, key=lambda one: one.spec.revision)}

    def _is_mine(self, revision: ResourceRevision) -> bool:
        resource = revision.spec.resource
        return (resource.kind, resource.name) == (self.kind.gvk.kind, self.name)


def is_conflict(err: MemberRefused) -> bool:
    return err.status == 409
