"""What the scheduler keeps in mind of the store, parsed once, and whom a change concerns.

It follows the mirror and wakes only templates that a change may move: a heartbeat wakes nobody,
free room only those that wait for it, a taint those that are there or could be.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

import structlog

from services.scheduler.cache.companions import companions, relabelled
from services.scheduler.cache.following import Following, Placed
from services.scheduler.cache.held_revisions import RECORDS
from services.scheduler.cache.members import CLUSTERS, GROUPS, Members
from services.scheduler.cache.own_writes import OwnWrites
from services.scheduler.cache.placed import PlacedTemplates
from services.scheduler.cache.policy_book import POLICIES, PolicyBook
from services.scheduler.cache.priorities import CLASSES, Priorities, by_priority
from services.scheduler.cache.quota_book import QUOTAS, QuotaBook
from services.scheduler.cache.reading import Bound, kind_defined, read_binding
from services.scheduler.cache.reservations import Reservations
from services.scheduler.cache.signal_book import SignalBook
from services.scheduler.core.change.triggers import (
    differ_in_room_only,
    may_draw,
    needs_a_look,
    placed_elsewhere,
    policies_changed,
    speak_alike,
)
from services.scheduler.core.claims import counts_room
from services.scheduler.core.company import Peer
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.member import Member
from shared.api.binding import BindingSpec, ObjectReference, ResourceBinding
from shared.api.meta import GROUP
from shared.api.placement import Placement
from shared.api.scoring import WorkloadName
from shared.apimachinery.manifest import GroupVersionKind, Manifest, ObjectKey
from shared.clock import Clock
from shared.interpreter.registry import InterpreterSource
from shared.store.port import Change, ChangeType, Mirror, Scope, Stored

log = structlog.get_logger("hanse.scheduler")

BINDINGS = ("resourcebindings", "clusterresourcebindings")
_DEFINITIONS = ("apiextensions.k8s.io", "customresourcedefinitions")

Wake = Callable[[ObjectKey], None]


def _nobody(_key: ObjectKey) -> None:
    """Wake nobody."""


class Federation:
    """Policies, members and bindings. `follow` it before use; used from one event loop."""

    def __init__(
        self,
        mirror: Mirror,
        *,
        interpreters: InterpreterSource,
        clock: Clock,
        wake_template: Wake,
        wake_waiting: Wake,
        wake_policy: Wake,
        wake_follower: Wake | None = None,
        wake_quota: Wake = _nobody,
        giving_way_max: int = 20,
    ) -> None:
        self._mirror = mirror
        self._wake_template = wake_template
        # For templates that wait for room: it changes all the time, so these may be gathered.
        self._wake_waiting = wake_waiting
        self._wake_policy = wake_policy
        self.policies = PolicyBook(mirror)
        self._members = Members(mirror, self._arriving, clock)
        self._placed_templates = PlacedTemplates(mirror)
        self._own_writes = OwnWrites()
        self.reservations = Reservations(
            mirror,
            self._placed_templates,
            interpreters=interpreters,
            clock=clock,
            given_back=self._wake_all_waiting,
        )
        self.quotas = QuotaBook(
            mirror,
            self._placed_templates,
            interpreters=interpreters,
            fleet=self.fleet,
            given_back=self._wake_all_waiting,
            changed=wake_quota,
        )
        self.priorities = Priorities(
            mirror,
            self._placed_templates,
            interpreters=interpreters,
            clock=clock,
            giving_way_max=giving_way_max,
        )
        self.following = Following(
            mirror, interpreters, self._placed, wake_follower or wake_template
        )

    def follow(self) -> Callable[[], None]:
        """Take in what there is and every later change; returns the way to stop."""
        self.following.start()
        self.priorities.start()
        for resource in (GROUPS, CLUSTERS, QUOTAS, *POLICIES, *BINDINGS):
            for stored in self._mirror.items(Scope(GROUP, resource)):
                self._apply(Change(ChangeType.ADDED, stored), quietly=True)
        for entry in self._placed_templates.all():
            # Its template may have gone while nobody looked.
            self._wake_template(entry.template)
        for key in self.policies:
            self._wake_policy(key)
        return self._mirror.on_change(self._apply)

    # Reading.

    def fleet(self) -> Fleet:
        """Return the snapshot of this moment; the same one until a member changes."""
        return self._members.fleet()

    def fleet_for(self, placement: Placement) -> Fleet:
        """Return the snapshot to decide on: where room counts, less what is under way."""
        fleet = self.fleet()
        return self.reservations.fleet(fleet) if counts_room(placement) else fleet

    def following_scores(self, signals: Collection[str]) -> Sequence[ObjectKey]:
        """Return the templates that may move when one of *signals* changes."""
        following = self.policies.following(signals)
        return [template for key in following for template in self._placed_templates.under(key)]

    @property
    def signals(self) -> SignalBook:
        return self._members.signals

    def bound(self, template: ObjectKey) -> Bound | None:
        return self._placed_templates.of(template)

    def is_bound(self, template: ObjectKey) -> bool:
        """Whether there is a binding; none is read for this."""
        return self._placed_templates.entry(template) is not None

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
        for key in self._placed_templates.within(namespace):
            stored = self._mirror.get(key)
            entry = self._placed_templates.entry(key)
            if stored is not None and entry is not None:
                yield Peer(key, stored.labels, frozenset(entry.clusters))

    def bound_as(self, namespace: str, name: str) -> Iterable[Bound]:
        """What is bound of that name in a namespace; "" for what has none."""
        for key in self._placed_templates.within(namespace):
            bound = self.bound(key) if key.name == name else None
            if bound is not None:
                yield bound

    def clusters_of(self, namespace: str, workload: WorkloadName) -> frozenset[str]:
        """Name the clusters that a workload of *namespace* is placed in."""
        wanted = GroupVersionKind.parse(workload.api_version, workload.kind)
        for bound in self.bound_as(namespace, workload.name):
            resource = bound.binding.spec.resource
            own = GroupVersionKind.parse(resource.api_version, resource.kind)
            if (own.group, own.kind) == (wanted.group, wanted.kind):
                targets = bound.binding.spec.clusters
                return frozenset(one.name for one in targets if one.replicas != 0)
        return frozenset()

    def moving_beside(self, template: ObjectKey) -> int:
        """How many other templates have a share on its way."""
        moving = self._placed_templates.moving
        return len(moving) - (template in moving)

    @property
    def rested(self) -> timedelta:
        """How long the clusters have been as they are, but for their room."""
        return self._members.rested

    def templates_of(self, policy: ObjectKey) -> int:
        """How many templates are bound under a policy."""
        return len(self._placed_templates.under(policy))

    def templates_under(self, policy: ObjectKey) -> Collection[ObjectKey]:
        return self._placed_templates.under(policy)

    def template(self, key: ObjectKey) -> Manifest | None:
        stored = self._mirror.get(key)
        return stored.glance() if stored is not None else None

    @contextmanager
    def writing(self, binding: ObjectKey, spec: BindingSpec, fleet: Fleet) -> Iterator[None]:
        """Within, the binding is written with *spec*, as decided on *fleet*."""
        with (
            self.quotas.writing(binding, spec),
            self.reservations.writing(binding, spec),
            self._own_writes.writing(binding, spec, fleet),
        ):
            yield

    def wrote(self, stored: Stored, fleet: Fleet) -> None:
        """Remember a write of our own, decided on *fleet*, that may still come back."""
        known = self._placed_templates.at(stored.key)
        if known is None or known.stored.revision < stored.revision:
            self._own_writes.wrote(stored, fleet)

    def _arriving(self) -> dict[tuple[str, str], frozenset[str]]:
        found = {}
        for template in self._placed_templates.binding_of:
            if (template.group, template.resource) == _DEFINITIONS:
                kind = kind_defined(self._mirror.get(template))
                entry = self._placed_templates.entry(template)
                if kind is not None and entry is not None:
                    found[kind] = frozenset(entry.clusters)
        return found

    # Following.

    def _apply(self, change: Change, *, quietly: bool = False) -> None:
        key = change.stored.key
        if key.group != GROUP:
            self.following.note_object(change)
            for template in relabelled(self._mirror, self._placed_templates, change):
                self._wake_template(template)
            if CLASSES.covers(key):
                for template in self.priorities.note_class(change):
                    self._wake_template(template)
            return
        if key.resource == CLUSTERS:
            concerned = self._apply_cluster(change)
        elif key.resource == GROUPS:
            concerned = self._apply_group(change)
        elif key.resource == QUOTAS:
            concerned = self._within(self.quotas.take_quota(change))
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
        return self._moved_by(*self._members.take_cluster(change))

    def _apply_group(self, change: Change) -> Iterable[ObjectKey]:
        """Look at every cluster anew, and at all that namespaces bound to the group hold."""
        limited = self.quotas.take_group(change)
        namespaces, changes = self._members.take_group(change)
        concerned = {*self._within(limited), *self._within(namespaces)}
        for member in changes:
            concerned |= {*self._moved_by(*member)}
        return concerned

    def _within(self, namespaces: frozenset[str] | None) -> Iterable[ObjectKey]:
        """Return the templates that are bound in these namespaces; None: in any."""
        if namespaces is None:
            return tuple(self._placed_templates.binding_of)
        return {key for one in namespaces for key in self._placed_templates.within(one)}

    def pass_time(self) -> None:
        """Wake whom a member concerns that is another by now, without any word of it."""
        for member in self._members.pass_time():
            for template in self._moved_by(*member):
                self._wake_template(template)

    def _moved_by(
        self, name: str, before: Member | None, after: Member | None
    ) -> Iterable[ObjectKey]:
        """Return the templates that a change of a member may move."""
        if before == after:
            return ()
        self.reservations.note_room(name)
        if before is not None and after is not None and differ_in_room_only(before, after):
            if before.room is not None:
                self._wake_all_waiting()
                return ()
            return tuple(self._placed_templates.waiting)
        return self._concerned_by(name, before, after)

    def _wake_all_waiting(self) -> None:
        waiting = self._placed_templates.waiting
        for template in by_priority(self._placed_templates, waiting):
            self._wake_waiting(template)

    def _concerned_by(
        self, name: str, before: Member | None, after: Member | None
    ) -> Iterable[ObjectKey]:
        earlier = Fleet([before] if before is not None else [])
        later = Fleet([after] if after is not None else [])
        waiting = self._placed_templates.waiting
        # There are many bindings and few placements.
        known: dict[tuple[int, bool], bool] = {}
        found = []
        for entry in self._placed_templates.all():
            there = name in entry.clusters or name in entry.leaving
            # What no policy selects follows others, wherever they go.
            if not there and entry.selected:
                waits = entry.template in waiting
                question = id(entry.placement), waits
                if (answer := known.get(question)) is None:
                    answer = known[question] = may_draw(
                        entry.placement, name, earlier, later, waiting=waits
                    )
                there = answer
            if there:
                found.append(entry.template)
        return found

    def _apply_policy(self, change: Change, *, quietly: bool) -> Iterable[ObjectKey]:
        key = change.stored.key
        before, after = self.policies.take(change)
        if quietly or (before is not None and after is not None and speak_alike(before, after)):
            return ()
        self._wake_policy(key)
        return {*self._placed_templates.under(key), *self.policies.selected_by(after)}

    def _apply_binding(self, change: Change, *, quietly: bool) -> Iterable[ObjectKey]:
        key = change.stored.key
        after = None if change.type is ChangeType.DELETED else read_binding(change.stored)
        before = self._placed_templates.put(key, after)
        self.reservations.note(key, before, after)
        self.quotas.note(key, after)
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
        company: set[ObjectKey] = set()
        if placed_elsewhere(old, new):
            company = companions(self._mirror, self._placed_templates, templates)
            moved = new or old
            company |= {*self._near(moved.spec.resource)} if moved is not None else set()
        woken = set() if own or not needs_a_look(old, new) else set(templates)
        for template in templates:
            if (template.group, template.resource) == _DEFINITIONS:
                woken |= self._ofkind_defined(template)
        woken |= self.priorities.concerned(
            old.spec if old is not None else None, new.spec if new is not None else None
        )
        return woken | company

    def _near(self, workload: ObjectReference) -> Iterator[ObjectKey]:
        """Yield what follows scores and counts latency from *workload*."""
        for policy in self.policies.near(workload):
            for template in self._placed_templates.under(policy):
                if template.namespace == workload.namespace:
                    yield template

    def _is_own(self, stored: Stored, binding: ResourceBinding | None) -> bool:
        """Whether it is a write of ours, and still what we would decide."""
        return self._members.is_now(self._own_writes.decided_on(stored, binding))

    def _ofkind_defined(self, definition: ObjectKey) -> set[ObjectKey]:
        """Return the placed objects of a kind that a definition brings or takes away."""
        self._members.forget_snapshot()
        kind = kind_defined(self._mirror.get(definition))
        resources = (bound.binding.spec.resource for bound in self._placed_templates.bounds())
        return {one.key for one in resources if kind == (one.key.group, one.kind)}
