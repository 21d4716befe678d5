"""What the scheduler keeps in mind of the store, parsed once, and whom a change concerns.

It follows the mirror and wakes only templates that a change may move: a heartbeat wakes nobody,
free room only those that wait for it, a taint those that are there or could be.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import structlog

from services.scheduler.core.company import Peer, concerns_company
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.groups import groups_of, scopes_of
from services.scheduler.core.member import Member
from services.scheduler.core.policies import (
    CLUSTER_WIDE,
    NAMESPACED,
    check_policy,
    match_policy,
    may_be_template,
    policy_key,
)
from services.scheduler.core.triggers import (
    concerns,
    differ_in_room_only,
    needs_a_look,
    placed_elsewhere,
    policies_changed,
    speak_alike,
    waits_for_room,
)
from services.scheduler.reconcilers.following import Following, Placed
from services.scheduler.reconcilers.held_revisions import RECORDS
from services.scheduler.reconcilers.reading import Bound, kind_defined, read_binding, read_group
from shared.api.binding import BindingSpec, ResourceBinding
from shared.api.cluster import Cluster
from shared.api.cluster_group import ClusterGroup
from shared.api.meta import GROUP, read
from shared.api.policy import PropagationPolicy
from shared.apimachinery.manifest import ObjectKey, labels_of
from shared.errors import InvalidObject
from shared.interpreter.registry import InterpreterSource
from shared.store.port import Change, ChangeType, Mirror, Revision, Scope, Stored

log = structlog.get_logger("hanse.scheduler")

CLUSTERS = "clusters"
GROUPS = "clustergroups"
POLICIES = (NAMESPACED, CLUSTER_WIDE)
BINDINGS = ("resourcebindings", "clusterresourcebindings")
_DEFINITIONS = ("apiextensions.k8s.io", "customresourcedefinitions")

Wake = Callable[[ObjectKey], None]


class Federation:
    """Policies, members and bindings. `follow` it before use; used from one event loop."""

    def __init__(
        self,
        mirror: Mirror,
        *,
        interpreters: InterpreterSource,
        wake_template: Wake,
        wake_waiting: Wake,
        wake_policy: Wake,
        wake_follower: Wake | None = None,
    ) -> None:
        self._mirror = mirror
        self._wake_template = wake_template
        # For templates that wait for room: it changes all the time, so these may be gathered.
        self._wake_waiting = wake_waiting
        self._wake_policy = wake_policy
        self._policies: dict[ObjectKey, PropagationPolicy] = {}
        self._unreadable_policies: set[ObjectKey] = set()
        self._groups: dict[str, ClusterGroup] = {}
        self._members: dict[str, Member] = {}
        self._bound: dict[ObjectKey, Bound] = {}
        # Template -> its binding; policy -> templates bound under it; those in a namespace.
        self._binding_of: dict[ObjectKey, ObjectKey] = {}
        self._templates_of: dict[ObjectKey, set[ObjectKey]] = {}
        self._templates_in: dict[str, set[ObjectKey]] = {}
        # Of those, the ones whose policy names others that they are to be with or away from.
        self._choosy_in: dict[str, set[ObjectKey]] = {}
        # Our own writes, each with the fleet it was decided on: those that have yet to come back,
        # and those under way.
        self._own: dict[ObjectKey, tuple[Revision, Fleet]] = {}
        self._writing: dict[ObjectKey, tuple[BindingSpec, Fleet]] = {}
        self._fleet: Fleet | None = None
        self.following = Following(
            mirror, interpreters, self._placed, wake_follower or wake_template
        )

    def follow(self) -> Callable[[], None]:
        """Take in what there is and every later change; returns the way to stop."""
        self.following.start()
        for resource in (GROUPS, CLUSTERS, *POLICIES, *BINDINGS):
            for stored in self._mirror.items(Scope(GROUP, resource)):
                self._apply(Change(ChangeType.ADDED, stored), quietly=True)
        for bound in self._bound.values():
            # Its template may have gone while nobody looked.
            self._wake_template(bound.binding.spec.resource.key)
        for key in (*self._policies, *self._unreadable_policies):
            self._wake_policy(key)
        return self._mirror.on_change(self._apply)

    # Reading.

    def fleet(self) -> Fleet:
        """Return the snapshot of this moment; the same one until a member changes."""
        if self._fleet is None:
            scopes = scopes_of(self._groups.values())
            self._fleet = Fleet(self._members.values(), self._arriving(), scopes)
        return self._fleet

    def policies_for(self, namespace: str) -> list[PropagationPolicy]:
        """Those that may speak for objects of the namespace."""
        return [
            policy
            for key, policy in self._policies.items()
            if not key.namespace or key.namespace == namespace
        ]

    def is_unreadable(self, policy: ObjectKey) -> bool:
        return policy in self._unreadable_policies

    def bound(self, template: ObjectKey) -> Bound | None:
        key = self._binding_of.get(template)
        return self._bound.get(key) if key is not None else None

    def _placed(self, template: ObjectKey) -> Placed | None:
        bound = self.bound(template)
        if bound is None or self._is_over(bound):
            return None
        return bound.stored.key, bound.binding.spec

    def _is_over(self, bound: Bound) -> bool:
        """Whether it only waits for its works to go; what somebody deleted may be called back."""
        spec = bound.binding.spec
        if not bound.is_leaving:
            return False
        return not spec.clusters or self._mirror.get(spec.resource.key) is None

    def peers_of(self, namespace: str) -> Iterable[Peer]:
        """What is placed in a namespace, and where."""
        for key in self._templates_in.get(namespace, ()):
            stored = self._mirror.get(key)
            bound = self.bound(key)
            if stored is not None and bound is not None:
                clusters = frozenset(one.name for one in bound.binding.spec.clusters)
                yield Peer(key, labels_of(stored.manifest), clusters)

    def templates_of(self, policy: ObjectKey) -> int:
        """How many templates are bound under a policy."""
        return len(self._templates_of.get(policy, ()))

    @contextmanager
    def writing(self, binding: ObjectKey, spec: BindingSpec, fleet: Fleet) -> Iterator[None]:
        """Within, the binding is written with *spec*, which need not wake us when it comes back.

        It often comes back before the write is acknowledged. Where the fleet is another than
        *fleet* by then, it does wake us: a member that changed meanwhile woke those it concerns,
        as far as their bindings were known.
        """
        self._writing[binding] = spec, fleet
        try:
            yield
        finally:
            self._writing.pop(binding, None)

    def wrote(self, stored: Stored, fleet: Fleet) -> None:
        """Remember a write of our own, decided on *fleet*, that may still come back."""
        known = self._bound.get(stored.key)
        if known is None or known.stored.revision < stored.revision:
            self._own[stored.key] = stored.revision, fleet

    def _arriving(self) -> dict[tuple[str, str], frozenset[str]]:
        found = {}
        for template, key in self._binding_of.items():
            if (template.group, template.resource) == _DEFINITIONS:
                kind = kind_defined(self._mirror.get(template))
                if kind is not None:
                    clusters = self._bound[key].binding.spec.clusters
                    found[kind] = frozenset(target.name for target in clusters)
        return found

    # Following.

    def _apply(self, change: Change, *, quietly: bool = False) -> None:
        key = change.stored.key
        if key.group != GROUP:
            self.following.note_object(change)
            return
        if key.resource == CLUSTERS:
            concerned = self._apply_cluster(change)
        elif key.resource == GROUPS:
            concerned = self._apply_group(change)
        elif key.resource in POLICIES:
            concerned = self._apply_policy(change, quietly=quietly)
        elif key.resource in BINDINGS:
            concerned = self._apply_binding(change, quietly=quietly)
        else:
            if key.resource in RECORDS:
                self.following.note_record(change)
            return
        if not quietly:
            for template in concerned:
                self._wake_template(template)

    def _apply_cluster(self, change: Change) -> Iterable[ObjectKey]:
        name = change.stored.key.name
        before = self._members.get(name)
        after: Member | None = None
        if change.type is ChangeType.DELETED:
            self._members.pop(name, None)
        else:
            after = self._read_member(change.stored)
            self._members[name] = after
        return self._take_in(name, before, after)

    def _apply_group(self, change: Change) -> Iterable[ObjectKey]:
        """Look at every cluster anew, and at all that namespaces bound to the group hold."""
        name = change.stored.key.name
        before = self._groups.pop(name, None)
        after: ClusterGroup | None = None
        if change.type is not ChangeType.DELETED:
            after = read_group(change.stored) or before
        if after is not None:
            self._groups[name] = after
        if before is not None and after is not None and before.spec == after.spec:
            return ()
        self._fleet = None
        concerned: set[ObjectKey] = set()
        for group in (before, after):
            for namespace in group.spec.namespaces if group is not None else ():
                concerned |= self._templates_in.get(namespace, set())
        for cluster, member in list(self._members.items()):
            stored = self._mirror.get(ObjectKey(GROUP, CLUSTERS, "", cluster))
            if stored is not None:
                self._members[cluster] = self._read_member(stored)
                concerned |= {*self._take_in(cluster, member, self._members[cluster])}
        return concerned

    def _take_in(
        self, name: str, before: Member | None, after: Member | None
    ) -> Iterable[ObjectKey]:
        """Return the templates that a change of a member may move."""
        if before == after:
            return ()
        if before is not None and after is not None and differ_in_room_only(before, after):
            if self._fleet is not None:
                self._fleet = self._fleet.with_room_of(after)
            if before.nodes is not None:
                for template in self._waiting_for_room():
                    self._wake_waiting(template)
                return ()
            return self._waiting_for_room()
        self._fleet = None
        return self._concerned_by(name, before, after)

    def _waiting_for_room(self) -> Iterable[ObjectKey]:
        return [
            bound.binding.spec.resource.key
            for bound in self._bound.values()
            if waits_for_room(bound.binding)
        ]

    def _concerned_by(
        self, name: str, before: Member | None, after: Member | None
    ) -> Iterable[ObjectKey]:
        earlier = Fleet([before] if before is not None else [])
        later = Fleet([after] if after is not None else [])
        specs = (bound.binding.spec for bound in self._bound.values())
        return [spec.resource.key for spec in specs if concerns(spec, name, earlier, later)]

    def _apply_policy(self, change: Change, *, quietly: bool) -> Iterable[ObjectKey]:
        key = change.stored.key
        before = self._policies.pop(key, None)
        self._unreadable_policies.discard(key)
        after: PropagationPolicy | None = None
        if change.type is not ChangeType.DELETED:
            try:
                after = read(change.stored.manifest, PropagationPolicy)
                check_policy(after)
                self._policies[key] = after
            except InvalidObject:
                self._unreadable_policies.add(key)
        if quietly:
            return ()
        if before is not None and after is not None and speak_alike(before, after):
            return ()
        self._wake_policy(key)
        return {*self._templates_of.get(key, ()), *self._selected_by(after)}

    def _selected_by(self, policy: PropagationPolicy | None) -> Iterable[ObjectKey]:
        if policy is None:
            return
        namespace = policy.metadata.namespace or None
        for stored in self._mirror.items(Scope(namespace=namespace)):
            if may_be_template(stored.key) and match_policy(policy, stored.manifest) is not None:
                yield stored.key

    def _apply_binding(self, change: Change, *, quietly: bool) -> Iterable[ObjectKey]:
        key = change.stored.key
        before = self._bound.get(key)
        after = None if change.type is ChangeType.DELETED else read_binding(change.stored)
        self._index(key, before, after)
        if not change.only_status:
            self.following.note_binding(
                before.binding.spec if before is not None else None,
                (key, after.binding.spec)
                if after is not None and not self._is_over(after)
                else None,
            )
        if quietly or (before is None and after is None):
            return ()
        old = before.binding if before is not None else None
        new = after.binding if after is not None else None
        for policy in policies_changed(old, new):
            self._wake_policy(policy)
        templates = {one.spec.resource.key for one in (old, new) if one is not None}
        own = self._is_own(change.stored, new)
        company = self._company_of(templates) if placed_elsewhere(old, new) else set()
        woken = set() if own or not needs_a_look(old, new) else set(templates)
        for template in templates:
            if (template.group, template.resource) == _DEFINITIONS:
                woken |= self._ofkind_defined(template)
        return woken | company

    def _company_of(self, templates: Iterable[ObjectKey]) -> set[ObjectKey]:
        """Return the workloads whose affinity speaks of one of *templates*."""
        found = set()
        for template in templates:
            mine = self._mirror.get(template)
            for key in self._choosy_in.get(template.namespace, ()):
                bound, other = self.bound(key), self._mirror.get(key)
                rules = bound.binding.spec.placement.workload_affinity if bound else None
                if rules is None or other is None or key == template:
                    continue
                # Of one that is gone nobody knows the labels.
                if mine is None or concerns_company(
                    rules, labels_of(other.manifest), labels_of(mine.manifest)
                ):
                    found.add(key)
        return found

    def _is_own(self, stored: Stored, binding: ResourceBinding | None) -> bool:
        """Whether it is a write of ours, and still what we would decide."""
        revision, fleet = self._own.pop(stored.key, (None, None))
        if revision != stored.revision:
            spec, fleet = self._writing.get(stored.key, (None, None))
            if binding is None or spec != binding.spec:
                return False
            # Once: what comes after it is another's.
            del self._writing[stored.key]
        return fleet is self._fleet

    def _ofkind_defined(self, definition: ObjectKey) -> set[ObjectKey]:
        """Return the placed objects of a kind that a definition brings or takes away."""
        self._fleet = None
        kind = kind_defined(self._mirror.get(definition))
        resources = (bound.binding.spec.resource for bound in self._bound.values())
        return {one.key for one in resources if kind == (one.key.group, one.kind)}

    def _read_member(self, stored: Stored) -> Member:
        try:
            cluster = read(stored.manifest, Cluster)
            return Member.of(cluster, groups_of(cluster, self._groups.values()))
        except InvalidObject as err:
            log.warning("cluster.unreadable", cluster=stored.key.name, error=str(err))
            return Member.unreadable(stored.key.name)

    def _index(self, key: ObjectKey, before: Bound | None, after: Bound | None) -> None:
        if before is not None:
            spec = before.binding.spec
            self._bound.pop(key, None)
            self._binding_of.pop(spec.resource.key, None)
            templates = self._templates_of.get(policy_key(spec.policy), set())
            templates.discard(spec.resource.key)
            for templates_in in (self._templates_in, self._choosy_in):
                templates_in.get(spec.resource.namespace, set()).discard(spec.resource.key)
        if after is not None:
            spec = after.binding.spec
            self._bound[key] = after
            self._binding_of[spec.resource.key] = key
            if not after.is_leaving:
                self._templates_of.setdefault(policy_key(spec.policy), set()).add(spec.resource.key)
            self._templates_in.setdefault(spec.resource.namespace, set()).add(spec.resource.key)
            if spec.placement.workload_affinity is not None:
                self._choosy_in.setdefault(spec.resource.namespace, set()).add(spec.resource.key)
