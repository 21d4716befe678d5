"""What would be decided of a template now: read what counts, and run the pure function."""

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from services.scheduler.cache.federation import Federation
from services.scheduler.cache.reading import Bound
from services.scheduler.core.claims import counts_room
from services.scheduler.core.company import company_of
from services.scheduler.core.decision import Decision, Scheduled, Unschedulable
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.opinions import NOBODY_ASKED, Opinions
from services.scheduler.core.preemption.choosing import Preemption, displacing
from services.scheduler.core.preemption.rank import Rank
from services.scheduler.core.quota.allowed import Allowance
from services.scheduler.core.schedule import schedule
from services.scheduler.core.signals.origins import workloads_named
from services.scheduler.core.signals.values import NO_SIGNALS
from services.scheduler.core.signals.weighing import heeds_signals
from services.scheduler.core.telling.bindings import refusal, workload_of
from services.scheduler.core.workload import Grace, Workload
from services.scheduler.deciding.gathering import Gathering
from services.scheduler.deciding.plugins import Plugins
from services.scheduler.deciding.together import TogetherPlacing, by_itself
from shared.api.binding import ResourceBinding
from shared.api.policy import PropagationPolicy
from shared.apimachinery.manifest import Manifest, ObjectKey, labels_of
from shared.clock import Clock
from shared.errors import InvalidObject
from shared.interpreter.registry import InterpreterSource
from shared.interpreter.replicas import ReplicaDemand


def never_asked(_template: ObjectKey, _binding: ResourceBinding | None) -> str:
    return ""


def _nobody_waits(_template: ObjectKey) -> None:
    """Wake nobody: whoever only looks holds nothing back."""


class Quotas(Protocol):
    """What quotas leave to a workload, told by its binding, or its template where it has none."""

    def __bool__(self) -> bool: ...

    def allowances(
        self, namespace: str, binding: ObjectKey, demand: ReplicaDemand
    ) -> tuple[Allowance, ...]: ...


class Deciding:
    """Writes nothing and changes nothing."""

    def __init__(
        self,
        federation: Federation,
        clock: Clock,
        grace: Grace,
        *,
        interpreters: InterpreterSource,
        plugins: Plugins,
        asked: Callable[[ObjectKey, ResourceBinding | None], str] = never_asked,
        wake: Callable[[ObjectKey], None] | None = None,
    ) -> None:
        """*asked* says when somebody asked to have a template placed anew, "" where nobody did.

        *wake* is called with those that were held back, while `gathering` runs; None: what is
        decided is only shown, and neither holds anything back nor takes anybody's turn.
        """
        self._acts = wake is not None
        self._federation = federation
        self._clock = clock
        self._grace = grace
        self._interpreters = interpreters
        self._asked = asked
        self._plugins = plugins
        self._together = TogetherPlacing(federation, clock, asked, self._resting)
        self.gathering = Gathering(federation, clock, self._resting, wake or _nobody_waits)

    async def heard(
        self,
        key: ObjectKey,
        template: Manifest,
        policy: PropagationPolicy | None,
        bound: Bound | None,
    ) -> Opinions:
        """Ask the plugins of the policy, where it has any, within the time that it allows.

        Where it is to be placed together with others its goal is known afterwards.
        """
        if policy is not None:
            await self._together.prepare(key, policy, bound)
        if policy is None or not policy.spec.placement.plugins:
            return NOBODY_ASKED
        workload, refused = self.workload(key, template, policy, bound)
        if refused:
            return NOBODY_ASKED
        return await self._plugins.ask(workload, template, self._federation.fleet())

    def decide(
        self,
        key: ObjectKey,
        template: Manifest,
        policy: PropagationPolicy,
        bound: Bound | None,
        opinions: Opinions = NOBODY_ASKED,
    ) -> tuple[Workload, Decision]:
        """Decide for the fleet of this moment."""
        workload, refused = self.workload(key, template, policy, bound, opinions)
        if refused:
            return workload, refusal(workload, refused)
        fleet = self._federation.fleet_for(workload.placement)
        decision = schedule(workload, fleet, self._clock.now())
        if isinstance(decision, Unschedulable) and decision.reason == "Unschedulable":
            rank = self._federation.priorities.rank(template, policy)
            decision = self._displacing(workload, rank, fleet, decision)
        return workload, self._with_look(workload, decision)

    def _displacing(
        self, workload: Workload, rank: Rank, fleet: Fleet, decision: Unschedulable
    ) -> Decision:
        """Have others of a lower priority give way, where that lets it in."""
        priorities = self._federation.priorities
        ask = priorities.search if self._acts else priorities.look
        found = ask(workload, rank, fleet)
        if isinstance(found, Preemption):
            return displacing(found, rank, self._clock.now())
        after = [one for one in (found.after, decision.wake_after) if one is not None]
        notes = (*decision.notes, found.note) if found.note else decision.notes
        return replace(decision, notes=notes, wake_after=min(after, default=None))

    def workload(
        self,
        key: ObjectKey,
        template: Manifest,
        policy: PropagationPolicy,
        bound: Bound | None,
        opinions: Opinions = NOBODY_ASKED,
        *,
        quotas: Quotas | None = None,
    ) -> tuple[Workload, str]:
        """Return what is to be placed, and why it cannot be read where that is so.

        *quotas*: others than those there are.
        """
        demand, refused = self.demand(template)
        binding = bound.binding if bound is not None else None
        rules = policy.spec.placement.workload_affinity
        peers = self._federation.peers_of(key.namespace) if rules is not None else ()
        company = company_of(key, labels_of(template), rules, peers)
        heeded = heeds_signals(policy.spec.placement)
        workload = workload_of(
            key,
            template,
            demand,
            policy,
            binding,
            grace=self._grace,
            company=company,
            signals=self._federation.signals.now if heeded else NO_SIGNALS,
            opinions=opinions,
            asked_at=self._asked(key, binding),
            allowances=self._allowances(key, bound, demand, quotas),
            precedence=self._federation.priorities.precedence(
                key, self._federation.priorities.rank(template, policy), bound
            ),
            together=(
                self.gathering.goal_of(key, policy)
                if bound is None
                else self._together.goal_of(key, policy, bound)
            ),
        )
        if heeded and (named := tuple(workloads_named(policy.spec.placement))):
            origins = {one: self._federation.clusters_of(key.namespace, one) for one in named}
            workload = replace(workload, origins=origins)
        return workload, refused

    def demand(self, template: Manifest) -> tuple[ReplicaDemand | None, str]:
        """Return what it asks for, and why that cannot be read where that is so."""
        try:
            return self._interpreters.of(template).demand(template), ""
        except InvalidObject as err:
            return None, str(err)

    def _resting(self, key: ObjectKey, policy: PropagationPolicy) -> Workload | None:
        """Return what is to be placed, as if nobody asked for it; None for what cannot be read."""
        template = self._federation.template(key)
        if template is None:
            return None
        workload, refused = self.workload(key, template, policy, self._federation.bound(key))
        return None if refused else by_itself(workload)

    def _allowances(
        self,
        key: ObjectKey,
        bound: Bound | None,
        demand: ReplicaDemand | None,
        quotas: Quotas | None,
    ) -> tuple[Allowance, ...]:
        if quotas is None:
            quotas = self._federation.quotas
        if demand is None or not quotas:
            return ()
        binding = bound.stored.key if bound is not None else key
        try:
            return quotas.allowances(key.namespace, binding, demand)
        except ValueError:
            # What it asks for cannot be read; a member refuses it.
            return ()

    def _with_look(self, workload: Workload, decision: Decision) -> Decision:
        """Have it looked at again when room may be given back, or an answer come, untold."""
        if workload.opinions.closed and not isinstance(decision, Scheduled):
            again = self._plugins.again_after
            soonest = min(again, decision.wake_after or again)
            decision = replace(decision, wake_after=soonest)
        if isinstance(decision, Scheduled) or not counts_room(workload.placement):
            return decision
        given_back = self._federation.reservations.again_after
        if given_back is None:
            return decision
        soonest = min(given_back, decision.wake_after or given_back)
        return replace(decision, wake_after=soonest)
