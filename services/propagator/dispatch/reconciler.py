"""One template key at a time: what its binding asks of each member, put into WORK.

A template of generation G is dispatched once its binding speaks of G, so that a scale is divided
before it is carried anywhere. A namespace is there for its binding's sake and for that of the works
that live in it; works wait for nothing, since their namespace is ordered first.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from services.propagator.core.farewell import (
    PLAIN_FAREWELL,
    Farewell,
)
from services.propagator.core.namespaces import (
    UNMANAGED,
    is_namespace,
    namespace_clusters,
    namespace_key,
)
from services.propagator.core.overrides import OverrideFailure
from services.propagator.core.works import diff, preserving
from services.propagator.dispatch.binding_failures import tell_failures
from services.propagator.dispatch.bindings import BindingIndex
from services.propagator.dispatch.following_namespaces import following_orders
from services.propagator.dispatch.lingering import UnneededNamespaces
from services.propagator.dispatch.orders import Orders, ParsedObjects, held_back, render_orders
from services.propagator.dispatch.partings import Partings, Unsettled
from services.propagator.dispatch.publisher import POLL_FIRST, POLL_MAX, WorkPublisher
from services.propagator.dispatch.rollouts.director import Bound, RolloutDirector
from services.propagator.dispatch.work_log import WorkLog
from shared.api.binding import ResourceBinding
from shared.api.meta import GROUP
from shared.api.policy import stays_away
from shared.apimachinery.manifest import Manifest, ObjectKey, generation_of, uid_of
from shared.controller.result import Again, Done, Result
from shared.events.orders import Encoded
from shared.interpreter.registry import InterpreterSource
from shared.store.port import ObjectStore, Stored

_MIRROR_LAG = timedelta(seconds=1)


class FailureSink(Protocol):
    """Told of the overrides that failed for a template; an empty mapping clears them."""

    def report(
        self, template: ObjectKey, generation: int, failures: dict[str, OverrideFailure]
    ) -> None: ...


@dataclass(slots=True)
class _Desired:
    """Orders by cluster; clusters in `undecided` keep what they have."""

    orders: dict[str, Encoded] = field(default_factory=dict)
    undecided: set[str] = field(default_factory=set)
    trace: str | None = None
    farewell: Farewell | None = None
    """Where the binding goes: how what it asked for is taken back."""
    rendered: tuple[Stored, ResourceBinding] | None = None
    """The binding, where all that it asks for was rendered just now."""
    failures: Mapping[str, OverrideFailure] = field(default_factory=dict)
    """Cluster -> what failed of that."""


class DispatchReconciler:
    """Keyed by the template's key, which is also that of its works."""

    def __init__(
        self,
        *,
        store: ObjectStore,
        bindings: BindingIndex,
        log: WorkLog,
        publisher: WorkPublisher,
        parsed: ParsedObjects,
        interpreters: InterpreterSource,
        failures: FailureSink,
        rollouts: RolloutDirector,
        wake: Callable[[ObjectKey], None],
    ) -> None:
        self._store = store
        self._bindings = bindings
        self._log = log
        self._publisher = publisher
        self._parsed = parsed
        self._interpreters = interpreters
        self._failures = failures
        self._rollouts = rollouts
        self._wake = wake
        self._partings = Partings(store, bindings, log)
        self._polls: Counter[ObjectKey] = Counter()
        # Works on their way into a namespace: it must not be revoked under them.
        self._arriving: dict[str, Counter[str]] = {}
        self._unneeded = UnneededNamespaces()
        self._namespace_locks: dict[str, asyncio.Lock] = {}

    async def reconcile(self, key: ObjectKey) -> Result:
        if is_namespace(key):
            async with self._lock(key.name):
                return await self._reconcile_namespace(key)
        desired = await self._desired(key)
        if desired is None:
            return Again(_MIRROR_LAG) if self._log.of(key) else Done()
        result = await self._carry_out(key, desired)
        if desired.rendered is not None:
            await tell_failures(self._store, *desired.rendered, desired.failures)
        return result

    async def _desired(self, key: ObjectKey) -> _Desired | None:
        """What the binding asks for; None while that cannot be known yet."""
        found = self._bindings.of(key)
        held = self._log.of(key)
        if found is None:
            kinds = {one.kind for one in held.values()}
            for kind in kinds:
                if not await self._bindings.confirm_unbound(key, kind):
                    return None
            self._report(key, 0, {})
            await self._rollouts.forget(key)
            return _Desired()
        stored, binding = found
        template = self._store.mirror.get(key)
        resource = binding.spec.resource
        try:
            farewell = await self._partings.farewell(key, stored, binding)
        except Unsettled:
            return None
        if farewell is not None:
            self._report(key, 0, {})
            await self._rollouts.forget(key)
            return _Desired(trace=stored.trace, farewell=farewell)
        if (
            template is None
            or uid_of(template.manifest) != resource.uid
            or generation_of(template.manifest) != resource.generation
            or binding.spec.suspension.dispatching
        ):
            # The scheduler has yet to see this template, or its end; it wakes us when it has.
            return _Desired(undecided=set(held))
        orders = await self._rendered(key, template.manifest, stored, binding)
        self._report(key, resource.generation, orders.failures)
        orders = held_back(orders, binding.spec.suspension)
        return _Desired(
            orders.by_cluster,
            orders.unseen | orders.failures.keys(),
            stored.trace,
            rendered=found,
            failures=orders.failures,
        )

    def _report(
        self, key: ObjectKey, generation: int, failures: dict[str, OverrideFailure]
    ) -> None:
        if not is_namespace(key):
            # Of those more may fail than what is bound.
            self._failures.report(key, generation, failures)

    async def _rendered(
        self, key: ObjectKey, template: Manifest, stored: Stored, binding: ResourceBinding
    ) -> Orders:
        interpreter = self._interpreters.of(template)
        if binding.spec.rollout is None:
            await self._rollouts.forget(key)
            return render_orders(key, template, binding, self._parsed, interpreter)
        return await self._rollouts.orders(
            Bound(
                key=key,
                template=template,
                binding_key=stored.key,
                binding=binding,
                interpreter=interpreter,
            )
        )

    async def _carry_out(self, key: ObjectKey, desired: _Desired) -> Result:
        fleet = await self._fleet(key)
        plan = diff(
            {cluster: one.order.digest for cluster, one in desired.orders.items()},
            self._log.of(key),
            fleet=fleet,
            undecided=desired.undecided,
            since={cluster: one.order.since for cluster, one in desired.orders.items()},
        )
        with self._arrivals(key.namespace, plan.publish):
            if plan.publish and key.namespace not in UNMANAGED:
                preserved = any(
                    desired.orders[cluster].order.preserve_on_deletion for cluster in plan.publish
                )
                await self._ensure_namespace(key.namespace, plan.publish, preserved=preserved)
            if plan.revoke and _preserves(desired.farewell) and key.namespace not in UNMANAGED:
                # What stays there must not go with the namespace.
                await self._ensure_namespace(key.namespace, plan.revoke, preserved=True)
            if plan.publish or plan.revoke or plan.forget:
                # What is ordered now is asked after soon again.
                self._polls.pop(key, None)
                await self._publisher.carry_out(
                    key, plan, desired.orders, desired.trace, desired.farewell or PLAIN_FAREWELL
                )
        result = await self._await_removals(key, desired.orders, fleet)
        if desired.farewell is not None:
            await self._partings.part(key, desired.orders)
        return result

    async def _await_removals(
        self, key: ObjectKey, orders: Collection[str], fleet: Collection[str]
    ) -> Result:
        """Ask after tombstones until members confirm them, ever more seldom."""
        waiting = [
            cluster
            for cluster, held in self._log.of(key).items()
            if held.deleted and cluster in fleet and cluster not in orders
        ]
        if not waiting:
            self._polls.pop(key, None)
            return Done()
        # What was ordered just now nobody can have done; its fact wakes us.
        if await self._publisher.settle(key, waiting, ask=bool(self._polls[key])):
            self._polls.pop(key, None)
            if key.namespace not in UNMANAGED:
                self._wake(namespace_key(key.namespace))
            return Done()
        self._polls[key] += 1
        return Again(min(POLL_FIRST * 2 ** min(self._polls[key], 10), POLL_MAX))

    async def _fleet(self, key: ObjectKey) -> set[str]:
        """Members now. One that left is confirmed with the store, for its works are forgotten."""
        fleet = self._parsed.fleet()
        # A copy: while the store is asked, the log may learn more.
        for cluster in tuple(self._log.of(key)):
            if cluster not in fleet:
                found = await self._store.get(ObjectKey(GROUP, "clusters", "", cluster))
                if found is not None:
                    fleet.add(cluster)
        return fleet

    async def _reconcile_namespace(self, key: ObjectKey, preserved: Collection[str] = ()) -> Result:
        """Publish or revoke the namespace. It outlives its works where one of them is preserved.

        That is remembered in the order itself, so removing the namespace never takes along what
        somebody asked to keep; *preserved* are clusters where such a work is about to arrive.
        """
        name = key.name
        if name in UNMANAGED:
            return Done()
        found = await self._desired(key)
        desired = _Desired(undecided=set(self._log.of(key))) if found is None else found
        arriving = [cluster for cluster, count in self._arriving.get(name, {}).items() if count]
        held = self._log.of(key)
        # What is being removed keeps its namespace, and brings none back that another
        # dispatcher, which knows of the end of it, has revoked.
        there = {one for one, order in held.items() if not order.deleted}
        inhabited = self._log.living(name).keys() | (self._log.inhabited(name).keys() & there)
        stored = self._store.mirror.get(key)
        template = stored.manifest if stored is not None else None
        away = stays_away(template)
        needed = namespace_clusters(
            name, desired.orders.keys(), inhabited, arriving, held=there if away else None
        )
        missing = needed - desired.orders.keys() - (desired.undecided & there)
        following = following_orders(key, template, missing, self._parsed)
        if found is not None:
            generation = generation_of(template) if template is not None else 0
            self._failures.report(key, generation, {**desired.failures, **following.failures})
        # What is there keeps what it has.
        desired.undecided |= following.failures.keys() & there
        desired.orders |= {
            cluster: order
            for cluster, order in following.by_cluster.items()
            if cluster not in desired.undecided
        }
        keeping = {cluster for cluster, one in held.items() if one.preserve_on_deletion}
        for cluster in keeping.union(preserved) & desired.orders.keys():
            desired.orders[cluster] = preserving(desired.orders[cluster])
        left = self._unneeded.bear(name, held, desired.orders.keys() | desired.undecided)
        desired.undecided |= left.keys()
        result = await self._carry_out(key, desired)
        return result if not left or isinstance(result, Again) else Again(min(left.values()))

    async def _ensure_namespace(
        self, name: str, clusters: Collection[str], *, preserved: bool
    ) -> None:
        key = namespace_key(name)
        if self._has_all(key, clusters, preserved=preserved):
            return
        async with self._lock(name):
            if self._has_all(key, clusters, preserved=preserved):
                return
            result = await self._reconcile_namespace(key, clusters if preserved else ())
            if isinstance(result, Again):
                self._wake(key)

    def _has_all(self, key: ObjectKey, clusters: Collection[str], *, preserved: bool) -> bool:
        held = self._log.of(key)
        return all(
            cluster in held
            and not held[cluster].deleted
            and held[cluster].preserve_on_deletion >= preserved
            for cluster in clusters
        )

    @contextmanager
    def _arrivals(self, namespace: str, clusters: Collection[str]) -> Iterator[None]:
        if not namespace or not clusters:
            yield
            return
        counts = self._arriving.setdefault(namespace, Counter())
        counts.update(clusters)
        try:
            yield
        finally:
            counts.subtract(clusters)
            if not any(counts.values()):
                self._arriving.pop(namespace, None)

    def _lock(self, name: str) -> asyncio.Lock:
        return self._namespace_locks.setdefault(name, asyncio.Lock())


def _preserves(farewell: Farewell | None) -> bool:
    return farewell is not None and farewell.preserve
