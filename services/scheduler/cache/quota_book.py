"""The quotas there are and what has been decided under them, as the store and our own writes say.

Nothing is kept while there is no quota: what is decided is read from the bindings when the first
one comes.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

import structlog

from services.scheduler.cache.placed import PlacedTemplates
from services.scheduler.cache.reading import Bound
from services.scheduler.core.change.restraint import is_moving
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.quota.allowances import allowances_of
from services.scheduler.core.quota.allowed import Allowance
from services.scheduler.core.quota.ledger import Entry, Ledger, there
from services.scheduler.core.quota.limits import (
    Limit,
    clusters_in,
    limit_of_group,
    limits_of_quota,
)
from services.scheduler.core.reserving import shares_of
from shared.api.binding import BindingSpec
from shared.api.cluster_group import ClusterGroup
from shared.api.meta import read
from shared.api.quota import FederatedResourceQuota
from shared.apimachinery.manifest import ObjectKey
from shared.errors import InvalidObject, StaleRevision
from shared.interpreter.quota import Nanos, asks_of, replicas_left
from shared.interpreter.registry import InterpreterSource
from shared.interpreter.replicas import ReplicaDemand
from shared.store.port import Change, ChangeType, Mirror

log = structlog.get_logger("hanse.scheduler")

QUOTAS = "federatedresourcequotas"


class QuotaBook:
    """Told of every quota, group and binding, in order.

    *given_back* is called when less is used than before, *changed* when a quota says, or has used,
    something else.
    """

    def __init__(
        self,
        mirror: Mirror,
        placed: PlacedTemplates,
        *,
        interpreters: InterpreterSource,
        fleet: Callable[[], Fleet],
        given_back: Callable[[], None],
        changed: Callable[[ObjectKey], None],
    ) -> None:
        self._mirror = mirror
        self._placed = placed
        self._interpreters = interpreters
        self._fleet = fleet
        self._given_back = given_back
        self._changed = changed
        self._quotas: dict[ObjectKey, FederatedResourceQuota] = {}
        self._groups: dict[ObjectKey, ClusterGroup] = {}
        self._ledger: Ledger | None = None

    def __bool__(self) -> bool:
        return self._ledger is not None

    def take_quota(self, change: Change) -> frozenset[str]:
        """Return the namespaces whose templates another limit bears on now."""
        key = change.stored.key
        before = self._quotas.pop(key, None)
        after: FederatedResourceQuota | None = None
        if change.type is not ChangeType.DELETED:
            try:
                after = self._quotas[key] = read(change.stored.manifest, FederatedResourceQuota)
            except InvalidObject as err:
                log.warning("quota.unreadable", quota=str(key), error=str(err))
        self._begin()
        self._changed(key)
        same = before is not None and after is not None and before.spec == after.spec
        return frozenset() if same else frozenset({key.namespace})

    def take_group(self, change: Change) -> frozenset[str] | None:
        """The same for a group of clusters; None: of every namespace."""
        key = change.stored.key
        before = self._groups.pop(key, None)
        after: ClusterGroup | None = None
        if change.type is not ChangeType.DELETED:
            try:
                after = read(change.stored.manifest, ClusterGroup)
            except InvalidObject:
                # Whoever follows groups says so in the log.
                after = before
        if after is not None and after.spec.quota is not None:
            self._groups[key] = after
        self._begin()
        self._changed(key)
        spoken = [
            one.spec for one in (before, after) if one is not None and one.spec.quota is not None
        ]
        if not spoken or (len(spoken) == 2 and spoken[0] == spoken[1]):
            return frozenset()
        if any(not one.namespaces for one in spoken):
            return None
        return frozenset(name for one in spoken for name in one.namespaces)

    def _begin(self) -> None:
        if not self._quotas and not self._groups:
            self._ledger = None
        elif self._ledger is None:
            self._ledger = Ledger()
            for bound in self._placed.bounds():
                self.note(bound.stored.key, bound)

    # What is decided.

    def note(self, key: ObjectKey, after: Bound | None) -> None:
        """Take in what the store has."""
        if self._ledger is not None:
            spec = after.binding.spec if after is not None and not after.is_leaving else None
            self._put(self._ledger, key, spec)

    @contextmanager
    def writing(self, binding: ObjectKey, spec: BindingSpec) -> Iterator[None]:
        """Within, the binding is written with *spec*: it counts from now on, unless that fails.

        Raises `StaleRevision` where others have taken what it was to have.
        """
        ledger = self._ledger
        if ledger is None:
            yield
            return
        self._check(ledger, binding, spec)
        self._put(ledger, binding, spec)
        try:
            yield
        except BaseException:
            self.note(binding, self._placed.at(binding))
            raise

    def _put(self, ledger: Ledger, key: ObjectKey, spec: BindingSpec | None) -> None:
        before, entry = ledger.of(key), self._entry(spec)
        if entry == before:
            return
        less = ledger.note(key, entry)
        namespace = spec.resource.namespace if spec is not None else ""
        for one in {namespace, before.namespace if before is not None else namespace}:
            for quota in self._speaking_of(one):
                self._changed(quota)
        if less:
            self._given_back()

    def _entry(self, spec: BindingSpec | None) -> Entry | None:
        if spec is None or spec.replicas is None:
            return None
        stored = self._mirror.get(spec.resource.key)
        if stored is None:
            return None
        try:
            template = stored.glance()
            demand = self._interpreters.of(template).demand(template)
            each = asks_of(demand) if demand is not None else {}
        except (InvalidObject, ValueError):
            return None
        return Entry(spec.resource.namespace, each, shares_of(spec))

    def _check(self, ledger: Ledger, binding: ObjectKey, spec: BindingSpec) -> None:
        entry, own = self._entry(spec), ledger.of(binding)
        if entry is None or is_moving(spec):
            return
        for limit in self.limits(entry.namespace):
            more = there(limit, entry.shares)
            if own is not None and own.each == entry.each and more <= there(limit, own.shares):
                continue
            left = replicas_left(limit.hard, ledger.used(limit, without=own), entry.each)
            if left is not None and more > max(left, there(limit, own.shares) if own else 0):
                raise StaleRevision(f"what {limit.name} left has been taken meanwhile")

    # Limits.

    def limits(self, namespace: str) -> list[Limit]:
        """Return those that bear on a namespace."""
        found = [
            limit
            for key, quota in self._quotas.items()
            if key.namespace == namespace
            for limit in limits_of_quota(quota)
        ]
        for key, group in self._groups.items():
            limit = limit_of_group(group, clusters_in(self._fleet(), key.name))
            if limit is not None and limit.speaks_of(namespace):
                found.append(limit)
        return found

    def allowances(
        self, namespace: str, binding: ObjectKey, demand: ReplicaDemand
    ) -> tuple[Allowance, ...]:
        """Return what is left to a workload; nothing where no quota speaks of it."""
        if self._ledger is None:
            return ()
        limits = self.limits(namespace)
        if not limits:
            return ()
        own = self._ledger.of(binding)
        return allowances_of(limits, self._ledger, own, asks_of(demand))

    def used(self, key: ObjectKey) -> tuple[FederatedResourceQuota | ClusterGroup, list[Nanos]]:
        """Return a quota or group and what is used under each of its limits, in their order."""
        quota, group = self._quotas.get(key), self._groups.get(key)
        assert self._ledger is not None, "asked only for quotas there are"
        if quota is not None:
            return quota, [self._ledger.used(one) for one in limits_of_quota(quota)]
        assert group is not None, "asked only for quotas there are"
        limit = limit_of_group(group, clusters_in(self._fleet(), key.name))
        assert limit is not None, "groups without a quota are not kept"
        return group, [self._ledger.used(limit)]

    def holds(self, key: ObjectKey) -> bool:
        return key in self._quotas or key in self._groups

    def _speaking_of(self, namespace: str) -> Iterator[ObjectKey]:
        yield from (key for key in self._quotas if key.namespace == namespace)
        for key, group in self._groups.items():
            if not group.spec.namespaces or namespace in group.spec.namespaces:
                yield key

    def ledger_for(self, limits: Iterable[Limit]) -> Ledger:
        """Return a ledger of one's own, of what is decided that *limits* speak of."""
        if self._ledger is not None:
            return self._ledger.copy()
        found = Ledger()
        for entry in self._placed.all():
            namespace = entry.template.namespace
            if not entry.is_leaving and any(one.speaks_of(namespace) for one in limits):
                found.note(entry.stored.key, self._entry(entry.read().binding.spec))
        return found

    @property
    def quotas(self) -> Mapping[ObjectKey, FederatedResourceQuota]:
        return self._quotas

    @property
    def groups(self) -> Mapping[ObjectKey, ClusterGroup]:
        return self._groups
