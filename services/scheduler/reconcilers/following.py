"""Who needs what, as the mirror tells it, and whom a change of one concerns.

Edges lead from bound templates to what they refer to, from workloads to the Services that select
their pods, and from Services to the Ingresses that lead to them. A template that is not in the
mirror, or that its interpreter cannot read, keeps its edges: not seeing is not the same as gone.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from services.scheduler.core.dependents import (
    Identity,
    Use,
    Users,
    counted,
    identity_of,
    referred,
    roots_of,
    use_of,
)
from services.scheduler.core.pointing import Labels, Services, Workloads
from shared.api.binding import BindingSpec, ResourceBinding, binding_key, is_built_in
from shared.api.meta import GROUP, read
from shared.api.policy import PropagationPolicy
from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.apimachinery.parts import section
from shared.errors import InvalidObject
from shared.interpreter.registry import InterpreterSource
from shared.store.port import Change, ChangeType, Mirror, Scope

log = structlog.get_logger("hanse.scheduler")

_SERVICES = ("", "services")
_INGRESSES = ("networking.k8s.io", "ingresses")
_SERVICE, _INGRESS = ("", "Service"), ("networking.k8s.io", "Ingress")

# What most objects refer to: known without looking for one of the kind.
_USUAL: Mapping[tuple[str, str], str] = {
    _SERVICE: "services",
    _INGRESS: "ingresses",
    ("", "ConfigMap"): "configmaps",
    ("", "Secret"): "secrets",
    ("", "ServiceAccount"): "serviceaccounts",
    ("", "PersistentVolumeClaim"): "persistentvolumeclaims",
}

Placed = tuple[ObjectKey, BindingSpec]
"""Where a binding is stored, and what it says."""


@dataclass(frozen=True, slots=True)
class _Reading:
    manifest: Manifest
    needs: frozenset[Identity]
    labels: tuple[Labels, ...]


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
        self._interpreters = interpreters
        self._placed = placed
        self._wake = wake
        self._users = Users()
        # Service -> the Ingresses that lead to it, bound or not.
        self._leading = Users()
        self._workloads = Workloads()
        self._services = Services()
        self._resources = dict(_USUAL)
        # What was read of a template, for as long as that is in the mirror.
        self._read: dict[Identity, _Reading] = {}
        # Decided, and about to be written.
        self._pending: dict[Identity, Use] = {}
        self._unreadable: set[Identity] = set()

    # Asking.

    def uses(self, manifest: Manifest, policy: PropagationPolicy | None) -> tuple[Use, ...]:
        """Return the users of *manifest* that have a say, *policy* being its own."""
        if not self._users.of(found := identity_of(manifest)):
            return ()
        return counted(roots_of(found, self._users.of, self._use).values(), policy)

    def is_unreadable(self, manifest: Manifest) -> bool:
        """Whether it cannot be told what the object needs."""
        return identity_of(manifest) in self._unreadable

    @contextmanager
    def about_to_be(
        self, template: Manifest, binding: ObjectKey, spec: BindingSpec
    ) -> Iterator[list[ObjectKey]]:
        """Within, *template* counts as placed by *spec*; yields what must be put there first.

        It goes on counting so until the written binding comes back, unless writing fails.
        """
        user = identity_of(template)
        needs = self._needs(user, template)
        if not needs:
            yield []
            return
        self._users.put(user, needs)
        self._pending[user] = use_of(binding.namespace, binding.name, spec)
        try:
            yield [
                key
                for one in sorted(self._users.below(user))
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
        """Take in the Services and Ingresses there are; bindings are noted by the caller."""
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
        gone = change.type is ChangeType.DELETED
        if kind == _SERVICES:
            self._note_service(change.stored.manifest, gone=gone)
        elif kind == _INGRESSES:
            self._note_ingress(change.stored.manifest, gone=gone)
        if placed is not None:
            self._refresh(key, _identity(placed[1]))

    def note_binding(self, before: BindingSpec | None, after: Placed | None) -> None:
        """Take note of a binding that came, changed or went."""
        spec = after[1] if after is not None else before
        if spec is None:
            return
        user = _identity(spec)
        pending = self._pending.pop(user, None)
        self._refresh(spec.resource.key, user)
        if not self._users.needs(user):
            return
        old = use_of("", "", before) if before is not None else None
        new = use_of("", "", after[1]) if after is not None else None
        if old != new or pending is not None:
            self._wake_all(self._users.below(user))

    def read_again(self, keys: Iterable[ObjectKey]) -> None:
        """Another interpreter speaks for the objects at *keys*."""
        for key in keys:
            if (placed := self._placed(key)) is not None:
                user = _identity(placed[1])
                self._read.pop(user, None)
                self._refresh(key, user)

    def _note_service(self, manifest: Manifest, *, gone: bool) -> None:
        service = identity_of(manifest)
        selector = {} if gone else section(manifest, "spec", "selector")
        before = self._services.put(service, selector)
        if before == selector:
            return
        for workload in self._workloads.selected(service, before) | self._workloads.selected(
            service, selector
        ):
            self._refresh_user(workload)

    def _note_ingress(self, manifest: Manifest, *, gone: bool) -> None:
        ingress = identity_of(manifest)
        needs = () if gone else self._referred(manifest)
        for service in self._leading.put(ingress, (one for one in needs if one[:2] == _SERVICE)):
            self._refresh_user(service)

    # Edges.

    def _refresh_user(self, user: Identity) -> None:
        key = self._key(user)
        if key is not None and self._placed(key) is not None:
            self._refresh(key, user)

    def _refresh(self, key: ObjectKey, user: Identity) -> None:
        """Draw the edges of *user* anew, and wake what it has come to need, or needs no more."""
        self._resources.setdefault(user[:2], key.resource)
        untold = user in self._unreadable
        if self._placed(key) is None and user not in self._pending:
            self._workloads.put(user, ())
            self._unreadable.discard(user)
            self._read.pop(user, None)
            changed = self._users.put(user, ())
        else:
            stored = self._mirror.get(key)
            if stored is None:
                return
            changed = self._users.put(user, self._needs(user, stored.manifest))
        self._wake_all(changed)
        if untold and user not in self._unreadable:
            # Since before this process began, perhaps: what it needed then is not known here.
            self._wake_required_by(key, user[1])

    def _wake_required_by(self, key: ObjectKey, kind: str) -> None:
        """Wake whatever says in its binding that the object at *key* needs it."""
        at = binding_key(key, kind, built_in=is_built_in(key.group))
        user = {"name": at.name, "namespace": at.namespace}
        for resource in ("resourcebindings", "clusterresourcebindings"):
            for stored in self._mirror.items(Scope(GROUP, resource)):
                spec = stored.manifest.get("spec") or {}
                users = spec.get("requiredBy") or ()
                if any({"namespace": "", **one}.items() >= user.items() for one in users):
                    self._wake(read(stored.manifest, ResourceBinding).spec.resource.key)

    def _needs(self, user: Identity, manifest: Manifest) -> set[Identity]:
        reading = self._read.get(user)
        if reading is None or reading.manifest is not manifest:
            reading = self._read[user] = self._reading(user, manifest)
        found = set(reading.needs)
        if reading.labels:
            self._workloads.put(user, reading.labels)
            found |= self._services.selecting(user, reading.labels)
        if user[:2] == _SERVICE:
            found |= self._leading.of(user)
        return found

    def _reading(self, user: Identity, manifest: Manifest) -> _Reading:
        interpreter = self._interpreters.of(manifest)
        self._unreadable.discard(user)
        try:
            needs = frozenset(map(referred, interpreter.dependencies(manifest)))
        except InvalidObject as err:
            log.warning("dependencies.unreadable", object="/".join(user), error=str(err))
            self._unreadable.add(user)
            needs = self._users.needs(user)
        return _Reading(manifest, needs, interpreter.pod_labels(manifest))

    def _referred(self, manifest: Manifest) -> Iterable[Identity]:
        try:
            return [referred(one) for one in self._interpreters.of(manifest).dependencies(manifest)]
        except InvalidObject:
            return ()

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
            if stored.manifest.get("kind") == kind:
                self._resources[group, kind] = stored.key.resource
                return stored.key.resource
        return None


def _identity(spec: BindingSpec) -> Identity:
    key = spec.resource.key
    return key.group, spec.resource.kind, key.namespace, key.name
