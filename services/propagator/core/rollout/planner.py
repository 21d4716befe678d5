"""One step of a rollout: who may take the new revision now, who must give it back.

The rule: a cluster is given the target only in a stage that has begun, and a stage begins once
every one before it is done and, where that is asked for, somebody approved. A revision that was
complete needs no stages: everybody had it. Taking the same step twice changes nothing.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import msgspec

from services.propagator.core.rollout.gate import Watch, judge
from services.propagator.core.rollout.observation import Outcome
from services.propagator.core.rollout.roll import enlist
from services.propagator.core.rollout.situation import Situation, Step
from services.propagator.core.rollout.stages import Stage, place_in, stages_of
from services.propagator.core.rollout.summary import (
    Clusters,
    describe,
    finish,
    has_failed,
    is_done,
    members_of,
    states_before,
)
from services.propagator.core.rollout.words import name_failed
from shared.api.rollout import Phase, RolloutCluster, StageState, StageStatus
from shared.clock import format_micro_time


def plan(situation: Situation) -> Step:
    """Decide the next step; what is unclear waits."""
    clusters = enlist(situation)
    if situation.is_stuck and situation.status.phase != "Failed" and situation.complete:
        return _roll_back(situation, clusters)
    if situation.target == situation.complete:
        return _catch_up(situation, clusters)
    stages = stages_of(situation.strategy)
    wake = _judge_all(situation, clusters, stages, patient=situation.spec.paused)
    if not situation.is_stuck and not has_failed(clusters, stages):
        return _advance(situation, clusters, stages, wake)
    if situation.strategy.on_failure == "Rollback" and situation.complete:
        return _roll_back(situation, clusters)
    told = [describe(situation, stage, clusters) for stage in stages]
    failed = name_failed(clusters.values())
    return finish(situation, "Failed", clusters, told, wake_after=wake, failed=failed)


def _judge_all(
    situation: Situation, clusters: Clusters, stages: Sequence[Stage], *, patient: bool
) -> timedelta | None:
    """Look what has become of those that were given the target; returns when to look again."""
    rules = {stage.name: stage for stage in stages}
    watch = Watch(now=situation.now, since=situation.watched_since, patient=patient)
    resumed = situation.status.phase == "Paused" and not situation.spec.paused
    wake: timedelta | None = None
    for name, one in clusters.items():
        if one.revision != situation.target or one.state not in ("Updating", "Failed"):
            continue
        # While it was paused its time stood still.
        since = format_micro_time(situation.now) if resumed and one.since else one.since
        known = msgspec.structs.replace(one, since=since) if one.state == "Updating" else one
        judged = judge(known, situation.seen_of(name), rules[one.stage], watch)
        clusters[name] = judged.cluster
        if judged.wake_after is not None:
            wake = judged.wake_after if wake is None else min(wake, judged.wake_after)
    return wake


def _advance(
    situation: Situation, clusters: Clusters, stages: Sequence[Stage], wake: timedelta | None
) -> Step:
    """Let clusters go on, stage by stage."""
    before = states_before(situation)
    told: list[StageStatus] = []
    is_open = True
    for stage in stages:
        state = _stage_state(situation, clusters, stage, before.get(stage.name), is_open=is_open)
        may_grant = is_open and state == "Progressing" and not situation.spec.paused
        if may_grant and _grant(situation, clusters, stage):
            wake = stage.deadline if wake is None else min(wake, stage.deadline)
        is_open = is_open and state == "Complete"
        told.append(describe(situation, stage, clusters, state))
    if is_open and clusters:
        return finish(situation, "Complete", clusters, told)
    asked = any(one.state == "WaitingForApproval" for one in told)
    phase: Phase = "WaitingForApproval" if asked else "Progressing"
    if situation.spec.paused:
        phase = "Paused"
    return finish(situation, phase, clusters, told, wake_after=wake)


def _stage_state(
    situation: Situation,
    clusters: Clusters,
    stage: Stage,
    before: StageState | None,
    *,
    is_open: bool,
) -> StageState:
    """Whether a stage may go on; *is_open*: every one before it is done."""
    if not members_of(clusters, stage):
        if not is_open:
            return "Waiting"
        # Its clusters were lost under the change, or by it: that proves nothing good of it.
        unproven = before in ("Progressing", "WaitingForApproval")
        if unproven and not _is_approved(situation, stage):
            return "WaitingForApproval"
        return "Complete"
    if before not in ("Progressing", "Complete"):
        if not is_open:
            return "Waiting"
        if stage.approval and not _is_approved(situation, stage):
            return "WaitingForApproval"
        if situation.spec.paused:
            return "Waiting"
    return "Complete" if is_done(clusters, stage) else "Progressing"


def _grant(situation: Situation, clusters: Clusters, stage: Stage) -> bool:
    """Give the target to as many as may change at once; False where nobody was given it.

    First to those whose rest is lost already: who holds a revision that never was complete.
    """
    members = members_of(clusters, stage)
    room = stage.concurrency_of(len(members))
    room -= sum(1 for one in members if one.state == "Updating")
    waiting = [one for one in members if one.state == "Waiting"]

    def place(one: RolloutCluster) -> tuple[bool, tuple[bool, int, str]]:
        cluster = situation.clusters.get(one.name)
        return one.revision == situation.complete, place_in(stage.sorting, one.name, cluster)

    waiting.sort(key=place)
    chosen = waiting[: max(room, 0)]
    for one in chosen:
        clusters[one.name] = _given(situation, one)
    return bool(chosen)


def _catch_up(situation: Situation, clusters: Clusters) -> Step:
    """The target was complete before: all may have it at once, and nobody can fail by it."""
    # It proved itself before.
    stages = [replace(one, success=timedelta(0)) for one in stages_of(situation.strategy)]
    if not situation.spec.paused:
        for name, one in clusters.items():
            if one.revision != situation.target:
                clusters[name] = _given(situation, one)
    wake = _judge_all(situation, clusters, stages, patient=True)
    settled = bool(clusters) and all(one.state == "Updated" for one in clusters.values())
    was = situation.status.phase == "Complete" and not situation.begins
    phase: Phase = "Complete" if settled or was else "Progressing"
    if phase == "Progressing" and situation.spec.paused:
        phase = "Paused"
    told = [
        describe(situation, stage, clusters, _ungated_state(clusters, stage)) for stage in stages
    ]
    return finish(situation, phase, clusters, told, wake_after=wake)


def _ungated_state(clusters: Clusters, stage: Stage) -> StageState:
    return "Complete" if is_done(clusters, stage) else "Progressing"


def _roll_back(situation: Situation, clusters: Clusters) -> Step:
    """Everybody holds the last complete revision, at once."""
    failed = name_failed(clusters.values())
    # How it stood when it failed is worth keeping.
    told: Sequence[StageStatus] = situation.status.stages
    if situation.begins or situation.status.phase not in ("RollingBack", "RolledBack"):
        stages = stages_of(situation.strategy)
        told = [describe(situation, stage, clusters) for stage in stages]
    back = {name: _reverted(situation, one) for name, one in clusters.items()}
    done = all(one.state == "Reverted" for one in back.values())
    phase: Phase = "RolledBack" if done else "RollingBack"
    return finish(situation, phase, back, told, failed=failed)


def _reverted(situation: Situation, one: RolloutCluster) -> RolloutCluster:
    now = format_micro_time(situation.now)
    if one.revision != situation.complete:
        return msgspec.structs.replace(
            one,
            revision=situation.complete,
            template_generation=situation.recorded.get(situation.complete, 0),
            state="Reverting",
            since=now,
            healthy_since="",
            message="",
        )
    if one.state not in ("Reverting", "Reverted"):
        return msgspec.structs.replace(one, state="Reverted", since=now, message="")
    if one.state == "Reverted":
        return one
    seen = situation.seen_of(one.name)
    if seen.applied and seen.outcome is not Outcome.SILENT:
        return msgspec.structs.replace(one, state="Reverted", since=now, message="")
    return msgspec.structs.replace(one, message=seen.message)


def _given(situation: Situation, one: RolloutCluster) -> RolloutCluster:
    return msgspec.structs.replace(
        one,
        revision=situation.target,
        template_generation=situation.template_generation,
        state="Updating",
        since=format_micro_time(situation.now),
        healthy_since="",
        message="",
    )


def _is_approved(situation: Situation, stage: Stage) -> bool:
    return any(
        (one.revision, one.stage) == (situation.target, stage.name)
        for one in situation.spec.approvals
    )
