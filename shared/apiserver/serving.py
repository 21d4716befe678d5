"""What every verb needs: the store, the kinds, the rules of the house, and the world's givens."""

import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from shared.apimachinery.manifest import GroupResource, Manifest, ObjectKey
from shared.apiserver.admission import Admission, AdmitEverything
from shared.apiserver.kinds import KindRegistry, ResourceKind
from shared.apiserver.requests.target import WriteOptions
from shared.apiserver.status_errors import method_not_allowed
from shared.clock import Clock, SystemClock, format_time
from shared.store.port import ObjectStore, Stored

_SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789"


def random_suffix() -> str:
    """Five letters that spell no word, for `generateName`."""
    return "".join(secrets.choice(_SUFFIX_LETTERS) for _ in range(5))


def random_uid() -> str:
    return str(uuid.uuid4())


Shown = Callable[[GroupResource, Manifest], Manifest]


def as_stored(_resource: GroupResource, manifest: Manifest) -> Manifest:
    """Add nothing: what is stored is complete."""
    return manifest


class Foreseen(Protocol):
    """Says in warnings what the write or the deletion of an object would lead to."""

    async def written(self, stored: Stored) -> tuple[str, ...]: ...

    async def deleted(self, stored: Stored) -> tuple[str, ...]: ...


class NothingForeseen:
    """Says nothing."""

    async def written(self, _stored: Stored) -> tuple[str, ...]:
        return ()

    async def deleted(self, _stored: Stored) -> tuple[str, ...]:
        return ()


NOTHING_FORESEEN = NothingForeseen()


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """The dependencies of the verbs."""

    store: ObjectStore
    kinds: KindRegistry
    admission: Admission = field(default_factory=AdmitEverything)
    clock: Clock = field(default_factory=SystemClock)
    shown: Shown = as_stored
    """What readers see of an object: with the defaults of its kind, where those are not stored."""
    foreseen: Foreseen = NOTHING_FORESEEN
    """Warnings of what the write of an object would lead to, for whoever tries it (dryRun)."""
    new_uid: Callable[[], str] = random_uid
    new_suffix: Callable[[], str] = random_suffix

    def now(self) -> str:
        """The present moment as `metav1.Time`."""
        return format_time(self.clock.now())


@dataclass(frozen=True, slots=True)
class Call:
    """One request on one resource; `name` is empty for a collection."""

    kind: ResourceKind
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    options: WriteOptions = field(default_factory=WriteOptions)
    size: int = 0
    """Bytes of the request's body."""

    @property
    def key(self) -> ObjectKey:
        return self.key_of(self.name)

    def key_of(self, name: str) -> ObjectKey:
        kind = self.kind
        namespace = self.namespace if kind.namespaced else ""
        return ObjectKey(kind.gvk.group, kind.resource, namespace, name)

    @property
    def resource(self) -> GroupResource:
        return self.kind.group_resource

    def require_verb(self, verb: str) -> None:
        """Raise `ApiFault` 405 where the kind does not have it."""
        if verb not in self.kind.verbs:
            raise method_not_allowed()


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """The object after a write. A dry run's has the revision it would replace."""

    stored: Stored
    created: bool = False
    warnings: tuple[str, ...] = ()
