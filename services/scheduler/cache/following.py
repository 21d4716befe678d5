"""Who needs what, as the mirror tells it, and whom a change of one concerns.

A template that is not in the mirror keeps its edges: not seeing is not the same as gone.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

import structlog

from services.scheduler.cache.held_revisions import RECORDS, HeldRevisions
from services.scheduler.core.dependencies.dependents import (
    Identity,
    Use,
    counted,
    identity_of,
    roots_of,
    use_of,
)
from services.scheduler.core.dependencies.edges import SERVICE, Edges
from shared.api.binding import BindingSpec, ResourceBinding, binding_key, is_built_in
from shared.api.meta import GROUP, read_json
from shared.api.policy import PropagationPolicy
from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.interpreter.registry import InterpreterSource
from shared.store.port import Change, ChangeType, Mirror, Scope

log = structlog.get_logger("hanse.scheduler")

_SERVICES = ("", "services")
_INGRESSES = ("networking.k8s.io", "ingresses")

# What most objects refer to: known without looking for one of the kind.
_USUAL: Mapping[tuple[str, str], str] = {
    SERVICE: "services",
    ("networking.k8s.io", "Ingress"): "ingresses",
    ("", "ConfigMap"): "configmaps",
    ("", "Secret"): "secrets",
    ("", "ServiceAccount"): "serviceaccounts",
    ("", "PersistentVolumeClaim"): "persistentvolumeclaims",
}

Placed = tuple[ObjectKey, BindingSpec]
"""Where a binding is stored, and what it says."""


class Following:
    """`note_*` for every change, in order; used from one event loop."""

    def __init__(
        self,
        mirror: Mirror,
        interpreters: InterpreterSource,
        placed: Callable[[ObjectKey], Placed | None],
        wake: Callable[[ObjectKey], None],
    ) -> None:
        self._mirror = mirror
        self._placed = placed
        self._wake = wake
        self._edges = Edges(interpreters)
        self._held = HeldRevisions()
        self._resources = dict(_USUAL)
        self.refers: Callable[[ObjectKey], None] | None = None
        """Told of what is placed and refers to others, and of who refers to what has gone."""
        # Decided, and about to be written.
        self._pending: dict[Identity, Use] = {}

    # Asking.

    def uses(self, manifest: Manifest, policy: PropagationPolicy | None) -> tuple[Use, ...]:
        """Return the users of *manifest* that have a say, *policy* being its own."""
        users_of = self._edges.users_of
        if not users_of(found := identity_of(manifest)):
            return ()
        return counted(roots_of(found, users_of, self._use).values(), policy)

    def is_unreadable(self, manifest: Manifest) -> bool:
        """Whether it cannot be told what the object needs."""
        return bool(self._edges.trouble(identity_of(manifest)))

    def users_of(self, needed: Identity) -> list[ObjectKey]:
        """Return where those are that refer to *needed*."""
        users = sorted(self._edges.users_of(needed))
        return [key for one in users if (key := self._key(one)) is not None]

    def referring(self) -> list[ObjectKey]:
        """Return where those are that refer to any other."""
        return [key for one in self._edges.users() if (key := self._key(one)) is not None]

    def missing(self, template: Manifest) -> list[tuple[Identity, ObjectKey | None]]:
        """Return what *template* cannot run without and the mirror does not show, with its key."""
        user = identity_of(template)
        found = [(one, self._key(one)) for one in sorted(self._edges.needs(user))]
        absent = [(one, key) for one, key in found if key is None or not self._mirror.get(key)]
        if not absent:
            return []
        insisted = self._edges.insisted(user, template)
        return [(one, key) for one, key in absent if one in insisted]

    def needed_by(self, spec: BindingSpec) -> list[ObjectKey]:
        """Return what the object that *spec* places needs, and what that needs, and so on."""
        below = sorted(self._edges.below(_identity(spec)))
        return [key for one in below if (key := self._key(one)) is not None]

    @contextmanager
    def about_to_be(
        self, template: Manifest, binding: ObjectKey, spec: BindingSpec
    ) -> Iterator[list[ObjectKey]]:
        """Within, *template* counts as placed by *spec*; yields what must be put there first.

        It goes on counting so until the written binding comes back, unless writing fails.
        """
        user = identity_of(template)
        version = int(template["metadata"].get("resourceVersion") or 0)
        self._edges.draw(user, version, lambda: template, self._held.of(spec.resource.key))
        if not self._edges.needs(user):
            yield []
            return
        self._pending[user] = use_of(binding.namespace, binding.name, spec)
        try:
            yield [
                key
                for one in sorted(self._edges.below(user))
                if (key := self._key(one)) is not None
                and self._mirror.get(key) is not None
                and self._lacks(key, spec)
            ]
        except BaseException:
            self._pending.pop(user, None)
            self._refresh(spec.resource.key, user)
            raise

    # Following.

    def start(self) -> None:
        """Take in Services, Ingresses and revisions; bindings are noted by the caller."""
        for resource in RECORDS:
            for stored in self._mirror.items(Scope(GROUP, resource)):
                self.note_record(Change(ChangeType.ADDED, stored))
        for group, resource in (_SERVICES, _INGRESSES):
            for stored in self._mirror.items(Scope(group, resource)):
                self.note_object(Change(ChangeType.ADDED, stored))

    def note_object(self, change: Change) -> None:
        """Take note of a change of any object that is not Hanse's own."""
        key = change.stored.key
        kind = key.group, key.resource
        placed = self._placed(key)
        if kind not in (_SERVICES, _INGRESSES) and placed is None:
            return
        if change.only_status:
            return
        manifest, gone = change.stored.glance(), change.type is ChangeType.DELETED
        if gone and self.refers is not None:
            for one in self.users_of(identity_of(manifest)):
                self.refers(one)
        users: Iterable[Identity] = ()
        if kind == _SERVICES:
            users = self._edges.note_service(manifest, gone=gone)
        elif kind == _INGRESSES:
            users = self._edges.note_ingress(manifest, gone=gone)
        for user in users:
            if (at := self._key(user)) is not None and self._placed(at) is not None:
                self._refresh(at, user)
        if placed is not None:
            self._refresh(key, _identity(placed[1]))

    def note_record(self, change: Change) -> None:
        """Take note of a rollout or a revision: of what clusters hold beside the present words."""
        key = self._held.note(change)
        placed = self._placed(key) if key is not None else None
        if key is not None and placed is not None:
            self._refresh(key, _identity(placed[1]))

    def note_binding(self, before: BindingSpec | None, after: Placed | None) -> None:
        """Take note of a binding that came, changed or went."""
        spec = after[1] if after is not None else before
        if spec is None:
            return
        user = _identity(spec)
        pending = self._pending.pop(user, None)
        self._refresh(spec.resource.key, user)
        if not self._edges.needs(user):
            return
        if self.refers is not None:
            self.refers(spec.resource.key)
        old = use_of("", "", before) if before is not None else None
        new = use_of("", "", after[1]) if after is not None else None
        if old != new or pending is not None:
            self._wake_all(self._edges.below(user))

    def read_again(self, keys: Iterable[ObjectKey]) -> None:
        """Another interpreter speaks for the objects at *keys*."""
        for key in keys:
            if (placed := self._placed(key)) is not None:
                user = _identity(placed[1])
                self._edges.read_again(user)
                self._refresh(key, user)

    def _refresh(self, key: ObjectKey, user: Identity) -> None:
        """Draw the edges of *user* anew, and wake what it has come to need, or needs no more."""
        self._resources.setdefault(user[:2], key.resource)
        trouble = self._edges.trouble(user)
        if self._placed(key) is None and user not in self._pending:
            changed = self._edges.erase(user)
        elif (stored := self._mirror.get(key)) is not None:
            held = self._held.of(key)
            changed = self._edges.draw(
                _lean(user, stored.key), stored.revision, stored.glance, held
            )
        else:
            return
        self._wake_all(changed)
        now = self._edges.trouble(user)
        if now and now != trouble:
            log.warning("dependencies.unreadable", object=str(key), error=now)
        elif trouble and not now:
            # Since before this process began, perhaps: what it needed then is not known here.
            self._wake_required_by(key, user[1])

    def _wake_required_by(self, key: ObjectKey, kind: str) -> None:
        """Wake whatever says in its binding that the object at *key* needs it."""
        at = binding_key(key, kind, built_in=is_built_in(key.group))
        user = {"name": at.name, "namespace": at.namespace}
        for resource in ("resourcebindings", "clusterresourcebindings"):
            for stored in self._mirror.items(Scope(GROUP, resource)):
                spec = stored.glance().get("spec") or {}
                users = spec.get("requiredBy") or ()
                if any({"namespace": "", **one}.items() >= user.items() for one in users):
                    self._wake(read_json(stored.encoded, ResourceBinding).spec.resource.key)

    def _use(self, user: Identity) -> Use | None:
        if (pending := self._pending.get(user)) is not None:
            return pending
        key = self._key(user)
        placed = self._placed(key) if key is not None else None
        return use_of(placed[0].namespace, placed[0].name, placed[1]) if placed else None

    def _lacks(self, key: ObjectKey, spec: BindingSpec) -> bool:
        """Whether the object at *key* is not yet in all clusters of *spec*."""
        placed = self._placed(key)
        there = {one.name for one in placed[1].clusters} if placed is not None else set()
        return not {one.name for one in spec.clusters} <= there

    # Keys.

    def _wake_all(self, identities: Iterable[Identity]) -> None:
        for one in identities:
            if (key := self._key(one)) is not None and self._mirror.get(key) is not None:
                self._wake(key)

    def _key(self, identity: Identity) -> ObjectKey | None:
        """Return where an object of that kind and name is, if there is any of its kind."""
        group, kind, namespace, name = identity
        resource = self._resources.get((group, kind)) or self._learn(group, kind)
        return ObjectKey(group, resource, namespace, name) if resource is not None else None

    def _learn(self, group: str, kind: str) -> str | None:
        for stored in self._mirror.items(Scope(group=group)):
            if stored.glance().get("kind") == kind:
                self._resources[group, kind] = stored.key.resource
                return stored.key.resource
        return None


def _identity(spec: BindingSpec) -> Identity:
    key = spec.resource.key
    return key.group, spec.resource.kind, key.namespace, key.name


def _lean(user: Identity, key: ObjectKey) -> Identity:
    """Return *user* in the words of *key*, which are in memory anyway: there are many to keep."""
    return key.group, sys.intern(user[1]), key.namespace, key.name
