"""One decision per template: read, decide, write by compare-and-set, tell."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import structlog
from opentelemetry import trace

from services.scheduler.cache.federation import Federation
from services.scheduler.cache.members import CLUSTERS
from services.scheduler.cache.policy_book import POLICIES
from services.scheduler.cache.reading import Bound, holder_of
from services.scheduler.core.change.restraint import Restraint, is_moving, is_unforced_move
from services.scheduler.core.decision import Decision, Scheduled
from services.scheduler.core.dependencies.dependents import stays
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.policies import is_template, policy_key, select_policy
from services.scheduler.core.succession import succeeding
from services.scheduler.core.telling.bindings import (
    KEPT_FOR,
    farewell_to,
    following_spec,
    is_dismantled,
    is_kept,
    is_orphan,
    is_orphaning,
    spec_of,
)
from services.scheduler.core.telling.reasons import Basis, basis_of, trigger_of
from services.scheduler.core.workload import Grace, Workload
from services.scheduler.deciding.deciding import Deciding, never_asked
from services.scheduler.deciding.origins import OriginWait
from services.scheduler.deciding.plugins import Plugins
from services.scheduler.reconcilers.announcements import Announcements
from services.scheduler.reconcilers.binding_writer import BindingWriter, differs, place_of
from services.scheduler.reconcilers.followers import Followers, names_of
from shared.api.binding import (
    WORKS_FINALIZER,
    BindingSpec,
    PolicyReference,
    ResourceBinding,
)
from shared.api.meta import GROUP, read, section
from shared.api.policy import PropagationPolicy
from shared.apimachinery.manifest import (
    Manifest,
    ObjectKey,
    copy,
    generation_of,
    namespace_of,
)
from shared.clock import Clock, format_time
from shared.controller.result import Again, Done, Result
from shared.errors import InvalidObject, StaleRevision
from shared.interpreter.registry import InterpreterSource
from shared.store.port import ObjectStore, Scope, Stored
from shared.telemetry.propagation import TRACEPARENT, extract

log = structlog.get_logger("hanse.scheduler")
NO_RESTRAINT = Restraint()
_SOON = timedelta(milliseconds=200)
_TURN = timedelta(seconds=5)
"""How long what waits for others does so before it asks again whether it is its turn."""

tracer = trace.get_tracer("hanse.scheduler")


class TemplateReconciler:
    """Makes the binding of one template say where it shall be."""

    def __init__(
        self,
        store: ObjectStore,
        federation: Federation,
        announcements: Announcements,
        clock: Clock,
        grace: Grace,
        *,
        interpreters: InterpreterSource,
        plugins: Plugins,
        restraint: Restraint = NO_RESTRAINT,
        asked: Callable[[ObjectKey, ResourceBinding | None], str] = never_asked,
        wake: Callable[[ObjectKey], None],
    ) -> None:
        """*wake* is called with those that wait for others, while `gathering` runs."""
        self._store = store
        self._federation = federation
        self._announcements = announcements
        self._clock = clock
        self._deciding = Deciding(
            federation,
            clock,
            grace,
            interpreters=interpreters,
            plugins=plugins,
            asked=asked,
            wake=wake,
        )
        self._plugins = plugins
        self.gathering = self._deciding.gathering
        self._origins = OriginWait(store.mirror, federation, clock)
        self._writer = BindingWriter(store, federation, clock)
        self._followers = Followers(store, federation)
        # What waits for what it needs to be put there first: two may need each other.
        self._leading: set[ObjectKey] = set()
        self._restraint = restraint
        # Whose moves begin at this moment: their bindings do not say so yet.
        self._beginning: set[ObjectKey] = set()

    async def reconcile(self, key: ObjectKey) -> Result:
        # The key says what may have changed, never how: read everything afresh.
        stored = self._store.mirror.get(key)
        bound = self._federation.bound(key)
        # Read anew each time: of thousands that rest only the JSON is kept.
        template = stored.glance() if stored is not None else None
        if stored is None or template is None or not is_template(key, template):
            return await self._forget_template(key, bound)
        return await self._place(key, template, bound, stored.trace or "")

    async def _place(
        self, key: ObjectKey, template: Manifest, bound: Bound | None, origin: str
    ) -> Result:
        if is_dismantled(template):
            return await self._unbind(bound)
        if is_orphaning(template):
            return Done()
        if bound is not None and self._is_unreadable(bound.binding.spec.policy):
            # What its policy wants cannot be known now: nothing moves until it is mended.
            return Done()
        policies = self._federation.policies.within(namespace_of(template))
        policy = select_policy(template, policies, holder_of(bound))
        if policy is None and bound is not None and bound.binding.spec.policy.name:
            await self._confirm_unselected(template)
        policy = self._federation.policies.active(policy, bound, template)
        uses = await self._followers.users(template, policy, bound)
        staying = stays(key, bound.binding.spec if bound is not None else None)
        kept = bound is not None and is_kept(bound.binding)
        if policy is None and not (uses or staying):
            return await self._unbind(bound, preserve=kept)
        if policy is not None and (held := self._held_back(key, policy, bound)) is not None:
            return held
        opinions = await self._deciding.heard(key, template, policy, bound)
        fleet = self._federation.fleet()
        if policy is None:
            spec = following_spec(key, template, uses, staying, kept=kept)
            decision: Decision = Scheduled(clusters=spec.clusters, needed_by=names_of(uses))
            workload: Workload | None = None
        else:
            workload, decision = self._deciding.decide(key, template, policy, bound, opinions)
            await self._confirm_departures(workload, fleet)
            spec = spec_of(workload, template, policy, decision, uses)
        spec = succeeding(spec, bound.binding if bound is not None else None)
        if bound is not None and not differs(bound, spec, decision):
            await self._announcements.tell(bound.stored, decision, Basis())
        elif bound is not None and self._must_wait(key, bound, spec, fleet):
            return Again(_TURN)
        else:
            before = bound.binding.spec if bound is not None and not bound.is_leaving else None
            trigger, revision = trigger_of(before, spec), self._store.mirror.revision
            basis = Basis(trigger, revision=revision)
            if workload is not None:
                basis = basis_of(workload, fleet, decision, trigger, revision)
            # The trace of whoever wrote the template goes on in what follows from it.
            context = extract({TRACEPARENT: origin})
            with tracer.start_as_current_span("scheduler.decide", context=context):
                async with self._led(template, spec, bound), self._begun(key, spec):
                    written = await self._writer.write(key, spec, decision, bound, fleet)
                await self._announcements.tell(written, decision, basis)
        return Again(decision.wake_after) if decision.wake_after is not None else Done()

    def _held_back(
        self, key: ObjectKey, policy: PropagationPolicy, bound: Bound | None
    ) -> Result | None:
        """Have it wait for those that it comes with; None where it need not."""
        if self._origins.holds_back(key, policy, bound):
            return Again(_SOON)
        if self.gathering.holds_back(key, policy, bound):
            return Done()
        return Again(_TURN) if self._plugins.holds_back(key, policy) else None

    def _is_unreadable(self, policy: PolicyReference) -> bool:
        return self._federation.policies.is_unreadable(policy_key(policy))

    def _must_wait(self, key: ObjectKey, bound: Bound, spec: BindingSpec, fleet: Fleet) -> bool:
        if self._restraint == NO_RESTRAINT or bound.is_leaving:
            return False
        if not is_unforced_move(bound.binding.spec, spec, fleet):
            return False
        moving = self._federation.moving_beside(key) + len(self._beginning - {key})
        why = self._restraint.why_to_wait(moving, self._federation.rested)
        if why:
            log.debug("move.waits", template=str(key), why=why)
        return bool(why)

    @asynccontextmanager
    async def _begun(self, key: ObjectKey, spec: BindingSpec) -> AsyncIterator[None]:
        beginning = {key} if is_moving(spec) else set()
        self._beginning |= beginning
        try:
            yield
        finally:
            self._beginning -= beginning

    async def _confirm_departures(self, workload: Workload, fleet: Fleet) -> None:
        """Not seeing a cluster is not the same as its being gone: ask the store itself."""
        known = fleet.members
        names = {one.name for one in workload.current}
        names |= {one.cluster for one in workload.evictions}
        for name in sorted(names - known.keys()):
            await self._confirm_absent(ObjectKey(GROUP, CLUSTERS, "", name))

    async def _confirm_absent(self, key: ObjectKey) -> None:
        if await self._store.get(key) is not None:
            raise StaleRevision(f"{key} exists, but has not been seen yet")

    @asynccontextmanager
    async def _led(
        self, template: Manifest, spec: BindingSpec, bound: Bound | None
    ) -> AsyncIterator[None]:
        """Write within what *spec* says; what the template needs has been put there before.

        For the sake of the first moments only: whatever is not done here follows by itself.
        """
        there = {one.name for one in bound.binding.spec.clusters} if bound is not None else set()
        if {one.name for one in spec.clusters} <= there:
            yield
            return
        at = bound.stored.key if bound is not None else place_of(spec)
        with self._federation.following.about_to_be(template, at, spec) as needed:
            if needed:
                await self._lead(spec.resource.key, needed)
            yield

    async def _lead(self, user: ObjectKey, needed: Iterable[ObjectKey]) -> None:
        mine = {user} - self._leading
        self._leading |= mine
        try:
            for key in needed:
                if key not in self._leading:
                    with suppress(StaleRevision):
                        await self.reconcile(key)
        finally:
            self._leading -= mine

    # Ending.

    async def _forget_template(self, key: ObjectKey, bound: Bound | None) -> Result:
        if bound is None:
            return Done()
        fresh = await self._store.get(key)
        if fresh is not None and is_template(key, fresh.manifest):
            raise StaleRevision(f"{key} exists, but has not been seen yet")
        if bound.is_leaving:
            # Dispatch takes back what it asks for, and lets it go then.
            return Done()
        return await self._unbind(bound, preserve=is_orphan(bound.binding))

    async def _confirm_unselected(self, template: Manifest) -> None:
        policies = []
        for resource in POLICIES:
            listing = await self._store.list(Scope(GROUP, resource))
            policies += readable_policies(listing.items, namespace_of(template))
        if select_policy(template, policies) is not None:
            raise StaleRevision("a policy selects the template, but has not been seen yet")

    async def _unbind(self, bound: Bound | None, *, preserve: bool = False) -> Result:
        """Have the binding ask for nothing; dispatch takes the works back and lets it go then."""
        if bound is None:
            return Done()
        stored, binding = bound.stored, bound.binding
        if WORKS_FINALIZER not in binding.metadata.finalizers:
            await self._store.delete(stored.key, stored.glance(), expected=stored.revision)
        else:
            spec = farewell_to(binding, preserve=preserve)
            if bound.is_leaving and spec == binding.spec:
                return Done()
            if spec.preserve_resources_on_deletion:
                await self._keep_needed(binding)
            manifest = copy(stored.glance())
            manifest["spec"] = section(spec)
            metadata = manifest["metadata"]
            metadata["generation"] = generation_of(manifest) + 1
            metadata.setdefault("deletionTimestamp", format_time(self._clock.now()))
            metadata.setdefault("deletionGracePeriodSeconds", 0)
            await self._store.update(stored.key, manifest, expected=stored.revision)
        self._announcements.forget(stored.key)
        log.info("binding.deleted", binding=str(stored.key))
        return Done()

    async def _keep_needed(self, user: ResourceBinding) -> None:
        """What is left in the members for good needs there what it needed before.

        Noted before the user goes: afterwards nobody could tell that there was one.
        """
        for key in self._federation.following.needed_by(user.spec):
            bound = self._federation.bound(key)
            if bound is None or bound.binding.spec.policy.name or is_kept(bound.binding):
                continue
            manifest = copy(bound.stored.glance())
            annotations = manifest["metadata"].setdefault("annotations", {})
            annotations[KEPT_FOR] = user.metadata.name
            await self._store.update(bound.stored.key, manifest, expected=bound.stored.revision)


def readable_policies(items: Iterable[Stored], namespace: str) -> list[PropagationPolicy]:
    """Read those that may speak for *namespace*; one that cannot be read speaks for nothing new."""
    found = []
    for stored in items:
        if stored.key.namespace in ("", namespace):
            with suppress(InvalidObject):
                found.append(read(stored.manifest, PropagationPolicy))
    return found
