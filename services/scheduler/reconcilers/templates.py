"""One decision per template: read, decide, write by compare-and-set, tell."""

import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import structlog
from opentelemetry import trace

from services.scheduler.core.bindings import (
    DECIDED_AT,
    KEPT_FOR,
    condition_of,
    farewell_to,
    following_spec,
    is_built_in,
    is_dismantled,
    is_kept,
    is_orphan,
    is_orphaning,
    owner_of,
    refusal,
    spec_of,
    workload_of,
)
from services.scheduler.core.claims import counts_room
from services.scheduler.core.company import company_of
from services.scheduler.core.decision import Decision, Scheduled
from services.scheduler.core.dependencies.dependents import stays
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.policies import is_template, policy_key, select_policy
from services.scheduler.core.schedule import schedule
from services.scheduler.core.workload import Workload
from services.scheduler.reconcilers.announcements import Announcements
from services.scheduler.reconcilers.federation import POLICIES, Federation
from services.scheduler.reconcilers.followers import Followers, names_of
from services.scheduler.reconcilers.members import CLUSTERS
from services.scheduler.reconcilers.reading import Bound
from shared.api.binding import (
    SCHEDULED,
    WORKS_FINALIZER,
    BindingSpec,
    ResourceBinding,
    binding_key,
)
from shared.api.conditions import find_condition, with_condition
from shared.api.meta import API_VERSION, GROUP, Condition, read, section
from shared.api.policy import PropagationPolicy
from shared.apimachinery.manifest import (
    Manifest,
    ObjectKey,
    copy,
    generation_of,
    labels_of,
    namespace_of,
)
from shared.clock import Clock, format_micro_time, format_time
from shared.controller.result import Again, Done, Result
from shared.errors import AlreadyExists, InvalidObject, StaleRevision
from shared.interpreter.registry import InterpreterSource
from shared.store.port import ObjectStore, Scope, Stored
from shared.telemetry.propagation import TRACEPARENT, extract

log = structlog.get_logger("hanse.scheduler")
tracer = trace.get_tracer("hanse.scheduler")


class TemplateReconciler:
    """Makes the binding of one template say where it shall be."""

    def __init__(
        self,
        store: ObjectStore,
        federation: Federation,
        announcements: Announcements,
        clock: Clock,
        grace: timedelta,
        *,
        interpreters: InterpreterSource,
    ) -> None:
        self._store = store
        self._federation = federation
        self._announcements = announcements
        self._clock = clock
        self._grace = grace
        self._interpreters = interpreters
        self._followers = Followers(store, federation)
        # What waits for what it needs to be put there first: two may need each other.
        self._leading: set[ObjectKey] = set()

    async def reconcile(self, key: ObjectKey) -> Result:
        # The key says what may have changed, never how: read everything afresh.
        stored = self._store.mirror.get(key)
        bound = self._federation.bound(key)
        if stored is None or not is_template(key, stored.manifest):
            return await self._forget_template(key, bound)
        return await self._place(key, stored, bound)

    async def _place(self, key: ObjectKey, stored: Stored, bound: Bound | None) -> Result:
        template = stored.manifest
        if is_dismantled(template):
            return await self._unbind(bound)
        if is_orphaning(template):
            return Done()
        if bound is not None and self._federation.is_unreadable(
            policy_key(bound.binding.spec.policy)
        ):
            # What its policy wants cannot be known now: nothing moves until it is mended.
            return Done()
        policy = select_policy(template, self._federation.policies_for(namespace_of(template)))
        if policy is None and bound is not None and bound.binding.spec.policy.name:
            await self._confirm_unselected(template)
        uses = await self._followers.users(template, policy, bound)
        staying = stays(key, bound.binding.spec if bound is not None else None)
        kept = bound is not None and is_kept(bound.binding)
        if policy is None and not (uses or staying):
            return await self._unbind(bound, preserve=kept)
        fleet = self._federation.fleet()
        if policy is None:
            spec = following_spec(key, template, uses, staying, kept=kept)
            decision: Decision = Scheduled(clusters=spec.clusters, needed_by=names_of(uses))
        else:
            workload, decision = self._decide(key, template, policy, bound)
            await self._confirm_departures(workload, fleet)
            spec = spec_of(workload, template, policy, decision, uses)
        if bound is not None and not _differs(bound, spec, decision):
            await self._announcements.tell(bound.stored, decision)
        else:
            # The trace of whoever wrote the template goes on in what follows from it.
            with tracer.start_as_current_span(
                "scheduler.decide", context=extract({TRACEPARENT: stored.trace or ""})
            ):
                async with self._led(template, spec, bound):
                    written = await self._write(key, spec, decision, bound, fleet)
                await self._announcements.tell(written, decision)
        return Again(decision.wake_after) if decision.wake_after is not None else Done()

    def _decide(
        self,
        key: ObjectKey,
        template: Manifest,
        policy: PropagationPolicy,
        bound: Bound | None,
    ) -> tuple[Workload, Decision]:
        refused, demand = "", None
        try:
            demand = self._interpreters.of(template).demand(template)
        except InvalidObject as err:
            refused = str(err)
        binding = bound.binding if bound is not None else None
        rules = policy.spec.placement.workload_affinity
        peers = self._federation.peers_of(key.namespace) if rules is not None else ()
        company = company_of(key, labels_of(template), rules, peers)
        workload = workload_of(
            key, template, demand, policy, binding, grace=self._grace, company=company
        )
        if refused:
            return workload, refusal(workload, refused)
        fleet = self._federation.fleet_for(workload.placement)
        return workload, self._with_look(workload, schedule(workload, fleet, self._clock.now()))

    def _with_look(self, workload: Workload, decision: Decision) -> Decision:
        """Have it looked at again when room may be given back that nobody tells of."""
        again = self._federation.reservations.again_after
        if isinstance(decision, Scheduled) or again is None or not counts_room(workload.placement):
            return decision
        soonest = min(again, decision.wake_after or again)
        return replace(decision, wake_after=soonest)

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
        at = bound.stored.key if bound is not None else _place_of(spec)
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
            await self._store.delete(stored.key, stored.manifest, expected=stored.revision)
        else:
            spec = farewell_to(binding, preserve=preserve)
            if bound.is_leaving and spec == binding.spec:
                return Done()
            if spec.preserve_resources_on_deletion:
                await self._keep_needed(binding)
            manifest = copy(stored.manifest)
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
            manifest = copy(bound.stored.manifest)
            annotations = manifest["metadata"].setdefault("annotations", {})
            annotations[KEPT_FOR] = user.metadata.name
            await self._store.update(bound.stored.key, manifest, expected=bound.stored.revision)

    # Writing.

    async def _write(
        self,
        key: ObjectKey,
        spec: BindingSpec,
        decision: Decision,
        bound: Bound | None,
        fleet: Fleet,
    ) -> Stored:
        if bound is None:
            return await self._create(key, spec, decision, fleet)
        stored, binding = bound.stored, bound.binding
        changed = binding.spec != spec or bound.is_leaving
        generation = generation_of(stored.manifest) + changed
        manifest = copy(stored.manifest)
        if changed:
            manifest["spec"] = section(spec)
            metadata = manifest["metadata"]
            metadata["generation"] = generation
            if bound.is_leaving or binding.spec.resource.uid != spec.resource.uid:
                # Otherwise whoever took the owner away meant it.
                metadata["ownerReferences"] = [section(owner_of(spec))]
            if bound.is_leaving:
                _call_back(metadata)
            annotations = metadata.setdefault("annotations", {})
            annotations[DECIDED_AT] = format_micro_time(self._clock.now())
        condition = condition_of(decision, generation)
        self._put_condition(manifest, binding.status.conditions, condition)
        with self._federation.writing(stored.key, spec, fleet):
            written = await self._store.update(stored.key, manifest, expected=stored.revision)
            self._federation.wrote(written, fleet)
        return written

    async def _create(
        self, key: ObjectKey, spec: BindingSpec, decision: Decision, fleet: Fleet
    ) -> Stored:
        resource, place = spec.resource, _place_of(spec)
        now = self._clock.now()
        identity = f"{place}/{resource.uid}/{format_micro_time(now)}"
        manifest: Manifest = {
            "apiVersion": API_VERSION,
            "kind": "ResourceBinding" if key.namespace else "ClusterResourceBinding",
            "metadata": {
                "name": place.name,
                **({"namespace": place.namespace} if place.namespace else {}),
                "uid": str(uuid.uuid5(uuid.NAMESPACE_URL, identity)),
                "generation": 1,
                "creationTimestamp": format_time(now),
                "annotations": {DECIDED_AT: format_micro_time(now)},
                "finalizers": [WORKS_FINALIZER],
                "ownerReferences": [section(owner_of(spec))],
            },
            "spec": section(spec),
        }
        self._put_condition(manifest, (), condition_of(decision, 1))
        with self._federation.writing(place, spec, fleet):
            try:
                written = await self._store.create(place, manifest)
            except AlreadyExists as err:
                # By another scheduler, or by a write of ours whose answer was lost.
                raise StaleRevision(f"{place} exists, but has not been seen yet") from err
            self._federation.wrote(written, fleet)
        return written

    def _put_condition(
        self, manifest: Manifest, conditions: tuple[Condition, ...], condition: Condition
    ) -> None:
        placed = with_condition(conditions, condition, now=format_time(self._clock.now()))
        manifest.setdefault("status", {})["conditions"] = section(placed)


def _place_of(spec: BindingSpec) -> ObjectKey:
    key = spec.resource.key
    return binding_key(key, spec.resource.kind, built_in=is_built_in(key.group))


def readable_policies(items: Iterable[Stored], namespace: str) -> list[PropagationPolicy]:
    """Read those that may speak for *namespace*; one that cannot be read speaks for nothing new."""
    found = []
    for stored in items:
        if stored.key.namespace in ("", namespace):
            with suppress(InvalidObject):
                found.append(read(stored.manifest, PropagationPolicy))
    return found


def _call_back(metadata: dict[str, Any]) -> None:
    """Make a binding that was on its way out one that stays: its template is there."""
    for mark in ("deletionTimestamp", "deletionGracePeriodSeconds"):
        metadata.pop(mark, None)
    metadata["finalizers"] = [WORKS_FINALIZER]


def _differs(bound: Bound, spec: BindingSpec, decision: Decision) -> bool:
    """Whether the binding says anything else than *decision*; when it was said does not count."""
    if bound.binding.spec != spec or bound.is_leaving:
        return True
    found = find_condition(bound.binding.status.conditions, SCHEDULED)
    wanted = condition_of(decision, generation_of(bound.stored.manifest))
    return found is None or (
        (found.status, found.reason, found.message, found.observed_generation)
        != (wanted.status, wanted.reason, wanted.message, wanted.observed_generation)
    )
