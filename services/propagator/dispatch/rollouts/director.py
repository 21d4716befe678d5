"""Directs the rollout of one template: looks, decides, commits, and says what to order.

The status is committed before anything is ordered by it, so that of two dispatchers, or of one that
comes back after a crash, nobody orders what was not decided; what was decided and not yet ordered
is ordered by the next look.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

import msgspec

from services.propagator.core.overrides import OverrideFailure
from services.propagator.core.rollout.observation import Outcome, Seen, by_cluster, observe
from services.propagator.core.rollout.planner import plan
from services.propagator.core.rollout.revisions import (
    contents_of,
    next_number,
    says_the_same,
    superfluous,
)
from services.propagator.core.rollout.situation import HeldRevision, Situation
from services.propagator.core.works import Held
from services.propagator.dispatch.orders import Orders, ParsedObjects
from services.propagator.dispatch.rollouts.announcements import RolloutAnnouncements
from services.propagator.dispatch.rollouts.records import RolloutRecords
from services.propagator.dispatch.rollouts.rendering import RevisionRenderer
from services.propagator.dispatch.rollouts.writing import RolloutWriter
from services.propagator.dispatch.work_log import WorkLog
from shared.api.binding import ClusterReport, ResourceBinding
from shared.api.meta import read
from shared.api.revision import RevisionSpec
from shared.api.rollout import ResourceRollout, RolloutCluster, RolloutStatus
from shared.api.staging import RolloutStrategy
from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.clock import Clock
from shared.interpreter.interpreter import Interpreter


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A template as it is now, with the binding that speaks of it."""

    key: ObjectKey
    template: Manifest
    binding_key: ObjectKey
    binding: ResourceBinding
    interpreter: Interpreter


class RolloutDirector:
    """Keyed by the template; for bindings with a rollout alone."""

    def __init__(
        self,
        *,
        records: RolloutRecords,
        writer: RolloutWriter,
        announcements: RolloutAnnouncements,
        log: WorkLog,
        parsed: ParsedObjects,
        clock: Clock,
        wake_after: Callable[[ObjectKey, timedelta], None],
    ) -> None:
        self._records = records
        self._writer = writer
        self._announcements = announcements
        self._log = log
        self._parsed = parsed
        self._clock = clock
        self._wake_after = wake_after
        self._since = clock.now()

    async def forget(self, template: ObjectKey) -> None:
        """Nothing is rolled out in stages any more; free where nothing ever was."""
        if self._records.has_any(template):
            await self._writer.forget(template)
            self._announcements.forget(template)

    async def orders(self, bound: Bound) -> Orders:
        """What each cluster of the binding is to hold now; raises `StaleRevision`."""
        spec = bound.binding.spec
        assert spec.rollout is not None, "asked for bindings with a rollout only"
        renderer = RevisionRenderer(
            bound.key, bound.template, spec, bound.interpreter, self._parsed
        )
        found = self._records.rollout(bound.key)
        stored, rollout = found if found is not None else (None, ResourceRollout())
        target, revisions = await self._target(bound, rollout.status)
        situation = self._situation(bound, renderer, rollout, target, revisions)
        step = plan(situation)
        status = msgspec.structs.replace(step.status, resource=spec.resource)
        if stored is None or status != rollout.status:
            stored = await self._writer.write(bound.binding_key, stored, status)
            rollout = read(stored.manifest, ResourceRollout)
            # What is new may be seen of at once: an order that stands already, say.
            self._wake_after(bound.key, timedelta(0))
        await self._announcements.tell(rollout, spec.resource)
        await self._tidy(bound.key, rollout.status, spec.rollout)
        if step.wake_after is not None:
            self._wake_after(bound.key, step.wake_after)
        return self._orders(renderer, rollout.status, revisions)

    async def _target(
        self, bound: Bound, status: RolloutStatus
    ) -> tuple[int, Mapping[int, RevisionSpec]]:
        """The number of what template and overrides say now, recorded if it never was."""
        kept = self._records.revisions(bound.key)
        contents = contents_of(
            bound.template,
            bound.interpreter,
            self._parsed.policies(bound.template),
            bound.binding.spec.resource,
        )
        revisions = {number: one.recorded.spec for number, one in kept.items()}
        # A number above the target's was recorded, and then we were stopped.
        for number, revision in sorted(revisions.items(), reverse=True):
            known = number in (status.target_revision, status.complete_revision)
            if (known or number > status.target_revision) and says_the_same(
                revision, contents, bound.interpreter
            ):
                return number, revisions
        recorded = [one.recorded for one in kept.values()]
        number = next_number(recorded, max(status.target_revision, status.complete_revision))
        revision = msgspec.structs.replace(contents, revision=number)
        await self._writer.record(bound.binding_key, revision)
        return number, {**revisions, number: revision}

    def _situation(
        self,
        bound: Bound,
        renderer: RevisionRenderer,
        rollout: ResourceRollout,
        target: int,
        revisions: Mapping[int, RevisionSpec],
    ) -> Situation:
        spec = bound.binding.spec
        assert spec.rollout is not None, "asked for bindings with a rollout only"
        generation, held = spec.resource.generation, self._log.of(bound.key)
        known = {one.name for one in rollout.status.clusters}
        reports = by_cluster(bound.binding.status.aggregated_status)
        seen = {
            one.name: self._see(
                renderer,
                _as_of(one, target, generation),
                revisions,
                held.get(one.name),
                reports.get(one.name),
            )
            for one in rollout.status.clusters
            if one.state not in ("Waiting", "Reverted")
        }
        return Situation(
            strategy=spec.rollout,
            spec=rollout.spec,
            generation=rollout.metadata.generation or 1,
            status=rollout.status,
            target=target,
            template_generation=generation,
            clusters={one.name: renderer.cluster(one.name) for one in spec.clusters},
            groups=self._parsed.groups,
            leaving={one.cluster for one in spec.evictions},
            found={
                name: _recognise(renderer, name, one, revisions)
                for name, one in held.items()
                if name not in known and not one.deleted and name in renderer.shares
            },
            recorded={number: one.resource.generation for number, one in revisions.items()},
            seen=seen,
            now=self._clock.now(),
            watched_since=self._since,
        )

    def _see(
        self,
        renderer: RevisionRenderer,
        one: RolloutCluster,
        revisions: Mapping[int, RevisionSpec],
        held: Held | None,
        report: ClusterReport | None,
    ) -> Seen:
        """What has become of the revision that *one* must hold."""
        cluster, revision = renderer.cluster(one.name), revisions.get(one.revision)
        if cluster is None or revision is None:
            return observe(report, None, "", cluster)
        order = renderer.order(cluster, revision, one.template_generation)
        if isinstance(order, OverrideFailure):
            return Seen(Outcome.UNFIT, message=f"{order.policy.name}: {order.message}")
        return observe(report, held, order.order.digest, cluster)

    async def _tidy(
        self, template: ObjectKey, status: RolloutStatus, strategy: RolloutStrategy
    ) -> None:
        """Remove the revisions that nobody needs."""
        kept = self._records.revisions(template)
        in_use = {status.target_revision, status.complete_revision}
        in_use |= {one.revision for one in status.clusters}
        recorded = [one.recorded for one in kept.values()]
        gone = superfluous(recorded, in_use, strategy.revision_history_limit)
        await self._writer.remove(kept[number].stored for number in gone)

    def _orders(
        self,
        renderer: RevisionRenderer,
        status: RolloutStatus,
        revisions: Mapping[int, RevisionSpec],
    ) -> Orders:
        orders = Orders()
        records = {one.name: one for one in status.clusters}
        for name in renderer.shares:
            one, cluster = records.get(name), renderer.cluster(name)
            revision = revisions.get(one.revision) if one is not None else None
            if one is None or cluster is None or revision is None:
                # It keeps what it has; where that is nothing, it is not its turn yet.
                orders.unseen.add(name)
                continue
            order = renderer.order(cluster, revision, one.template_generation)
            if isinstance(order, OverrideFailure):
                orders.failures[name] = order
            else:
                orders.by_cluster[name] = order
        return orders


def _as_of(one: RolloutCluster, target: int, generation: int) -> RolloutCluster:
    """Whoever holds the target holds it as of the template's present generation."""
    if one.revision != target:
        return one
    return msgspec.structs.replace(one, template_generation=generation)


def _recognise(
    renderer: RevisionRenderer, name: str, held: Held, revisions: Mapping[int, RevisionSpec]
) -> HeldRevision:
    """Which revision a cluster holds, by the order that stands for it."""
    cluster = renderer.cluster(name)
    for number, revision in sorted(revisions.items(), reverse=True):
        if cluster is None:
            break
        order = renderer.order(cluster, revision, held.template_generation)
        if not isinstance(order, OverrideFailure) and order.order.digest == held.digest:
            return HeldRevision(number, held.template_generation)
    return HeldRevision(0, held.template_generation)
