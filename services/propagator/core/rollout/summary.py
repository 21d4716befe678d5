"""The next status of a rollout, put together from what was decided."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

import msgspec

from services.propagator.core.rollout.situation import STUCK, Situation, Step
from services.propagator.core.rollout.stages import Stage
from services.propagator.core.rollout.words import with_words
from shared.api.rollout import Phase, RolloutCluster, StageState, StageStatus
from shared.clock import format_micro_time

Clusters = dict[str, RolloutCluster]


def finish(
    situation: Situation,
    phase: Phase,
    clusters: Clusters,
    stages: Sequence[StageStatus],
    *,
    wake_after: timedelta | None = None,
    failed: str = "",
) -> Step:
    """Make the status; its times are those of the last one where nothing changed.

    *failed* names those that stopped the target, where they did so now.
    """
    before, now = situation.status, format_micro_time(situation.now)
    complete, previous = situation.complete, before.previous_revision
    if phase == "Complete" and complete != situation.target:
        complete, previous = situation.target, complete
    ruled = {stage.name for stage in situation.strategy.stages}
    listed = tuple(one for one in stages if one.clusters or one.name in ruled)
    kept = [
        one for one in before.clusters if one.name in situation.leaving and one.name not in clusters
    ]
    status = msgspec.structs.replace(
        before,
        template_generation=situation.template_generation,
        attempt=situation.spec.attempt,
        phase=phase,
        since=before.since if phase == before.phase and not situation.begins else now,
        stage=next((one.name for one in listed if one.state != "Complete"), ""),
        target_revision=situation.target,
        complete_revision=complete,
        previous_revision=previous,
        failure=(before.failure if situation.is_stuck else failed) if phase in STUCK else "",
        stages=listed,
        clusters=tuple(sorted((*clusters.values(), *kept), key=lambda one: one.name)),
    )
    status = with_words(status, generation=situation.generation, now=situation.now)
    return Step(status, wake_after)


def describe(
    situation: Situation, stage: Stage, clusters: Clusters, state: StageState | None = None
) -> StageStatus:
    """How a stage is doing; without *state*, it has come to a stop as it is."""
    members = members_of(clusters, stage)
    if state is None:
        was = states_before(situation).get(stage.name, "Waiting")
        state = "Failed" if has_failed(clusters, [stage]) else was
    before = next((one for one in situation.status.stages if one.name == stage.name), None)
    kept = before is not None and before.state == state and not situation.begins
    return StageStatus(
        name=stage.name,
        state=state,
        clusters=len(members),
        updated=sum(1 for one in members if one.state == "Updated"),
        failed=sum(1 for one in members if one.state == "Failed"),
        since=before.since if before is not None and kept else format_micro_time(situation.now),
    )


def states_before(situation: Situation) -> Mapping[str, StageState]:
    """How far each stage had come with the revision under way.

    One without clusters had come nowhere, unless it waits since it lost them.
    """
    if situation.begins:
        return {}
    return {
        one.name: one.state
        for one in situation.status.stages
        if one.clusters or one.state == "WaitingForApproval"
    }


def members_of(clusters: Clusters, stage: Stage) -> list[RolloutCluster]:
    return [one for one in clusters.values() if one.stage == stage.name]


def is_done(clusters: Clusters, stage: Stage) -> bool:
    """Whether every cluster of the stage was updated, or has failed and is not waited for."""
    return all(one.state in ("Updated", "Failed") for one in members_of(clusters, stage))


def has_failed(clusters: Clusters, stages: Iterable[Stage]) -> bool:
    """Whether more clusters of a stage have failed than may."""
    for stage in stages:
        members = members_of(clusters, stage)
        failed = sum(1 for one in members if one.state == "Failed")
        if failed > stage.failures_of(len(members)):
            return True
    return False
