"""What holds for every rollout, whatever happens in whatever order."""

from dataclasses import replace
from typing import Any

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from services.propagator.core.rollout.observation import Seen
from services.propagator.core.rollout.stages import stages_of
from shared.api.rollout import RolloutStatus
from tests.unit.rollout.rollout_world import (
    DEGRADED,
    HEALTHY,
    SILENT,
    UNSETTLED,
    World,
    settled_world,
    strategy,
)

NAMES = ["a", "b", "c", "d", "e", "f"]
OUTCOMES = st.sampled_from([HEALTHY, DEGRADED, SILENT, UNSETTLED])


@st.composite
def strategies(draw: st.DrawFn) -> Any:
    stages = []
    for number in range(draw(st.integers(0, 3))):
        stage: dict[str, Any] = {
            "name": f"stage-{number}",
            "approval": draw(st.sampled_from(["None", "Required"])),
            "maxConcurrency": draw(st.sampled_from([1, 2, "50%", "100%"])),
            "maxFailures": draw(st.sampled_from([0, 0, 1])),
            "minSuccessTime": draw(st.sampled_from(["0s", "30s"])),
        }
        if draw(st.booleans()):
            stage["percentage"] = draw(st.sampled_from([10, 50, 100]))
        if draw(st.booleans()):
            stage["clusterAffinity"] = {
                "clusterNames": draw(st.lists(st.sampled_from(NAMES), min_size=1))
            }
        stages.append(stage)
    return strategy(
        stages=stages,
        maxConcurrency=draw(st.sampled_from([1, "100%"])),
        onFailure=draw(st.sampled_from(["Pause", "Rollback"])),
    )


class Rollout(RuleBasedStateMachine):
    """One rollout after another in a fleet that changes under them."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        self.before = RolloutStatus()

    @initialize(rules=strategies(), settled=st.booleans())
    def begin(self, *, rules: Any, settled: bool) -> None:
        names = NAMES[:4]
        self.world = settled_world(rules, names) if settled else World(rules, names)

    def look(self, seconds: float = 0) -> None:
        self.before = self.world.status
        self.world.step(seconds)

    @rule(name=st.sampled_from(NAMES), seen=OUTCOMES)
    def report(self, name: str, seen: Seen) -> None:
        self.world.seen[name] = seen
        self.look()

    @rule(seconds=st.sampled_from([1, 30, 700]))
    def wait(self, seconds: int) -> None:
        self.look(seconds)

    @rule()
    def everything_is_well(self) -> None:
        self.world.seen = dict.fromkeys(self.world.names, HEALTHY)
        self.look(31)

    @precondition(lambda self: self.world.status.phase == "WaitingForApproval")
    @rule()
    def approve(self) -> None:
        self.world.approve(self.world.status.stage)
        self.look()

    @rule(paused=st.booleans())
    def pause(self, *, paused: bool) -> None:
        self.world.say(paused=paused)
        self.look()

    @rule(name=st.sampled_from(NAMES))
    def join(self, name: str) -> None:
        if name not in self.world.names:
            self.world.names = [*self.world.names, name]
        self.look()

    @rule(name=st.sampled_from(NAMES))
    def leave(self, name: str) -> None:
        self.world.names = [one for one in self.world.names if one != name]
        self.look()

    @rule()
    def change(self) -> None:
        self.before = self.world.status
        self.world.change(self.world.target + 1)

    @rule()
    def try_again(self) -> None:
        self.world.say(attempt=self.world.spec.attempt + 1)
        self.look()

    # Laws.

    @invariant()
    def it_comes_to_rest(self) -> None:
        """Nothing that is seen has it go on for ever."""
        replace(self.world).settle()

    @invariant()
    def no_more_change_at_once_than_may(self) -> None:
        if self.world.status.target_revision == self.world.status.complete_revision:
            return
        for stage in stages_of(self.world.rules):
            members = [one for one in self.world.status.clusters if one.stage == stage.name]
            given = {one.name for one in members if one.state == "Updating"}
            new = given - {one.name for one in self.before.clusters if one.state == "Updating"}
            if new:
                assert len(given) <= stage.concurrency_of(len(members))

    @invariant()
    def nobody_passes_a_gate(self) -> None:
        """Who was given the target now is in a stage that is approved, and all before are done."""
        status = self.world.status
        if status.target_revision == status.complete_revision:
            return
        new = {one.name for one in status.clusters if one.revision == status.target_revision}
        if self.before.target_revision == status.target_revision:
            new -= {
                one.name for one in self.before.clusters if one.revision == status.target_revision
            }
        open_stages = set()
        for stage in stages_of(self.world.rules):
            approved = (status.target_revision, stage.name) in {
                (one.revision, one.stage) for one in self.world.spec.approvals
            }
            members = [one for one in status.clusters if one.stage == stage.name]
            if members and stage.approval and not approved:
                break
            open_stages.add(stage.name)
            if any(one.state not in ("Updated", "Failed") for one in members):
                break
        for one in status.clusters:
            if one.name in new:
                assert one.stage in open_stages

    @invariant()
    def nobody_goes_back_but_by_a_rollback(self) -> None:
        status, before = self.world.status, self.before
        if before.target_revision != status.target_revision:
            return
        if status.phase in ("RollingBack", "RolledBack"):
            return
        had = {one.name for one in before.clusters if one.revision == status.target_revision}
        for one in status.clusters:
            if one.name in had and one.revision != status.target_revision:
                # It left and came back, and its turn may be another.
                assert one.name not in {each.name for each in before.clusters}

    @invariant()
    def nobody_is_waited_for_for_ever(self) -> None:
        """Who was given something new has a deadline, unless it is silent or time stands still."""
        status = self.world.status
        if status.phase != "Progressing" or status.target_revision == status.complete_revision:
            return
        seen = self.world.situation().seen_of
        waiting = [one for one in status.clusters if one.state == "Updating"]
        if any(seen(one.name) is not SILENT for one in waiting):
            assert self.world.wake_after is not None

    @invariant()
    def complete_means_that_everybody_had_a_turn(self) -> None:
        status = self.world.status
        if status.phase == "Complete" and self.before.phase != "Complete":
            assert {one.state for one in status.clusters} <= {"Updated", "Failed"}

    @invariant()
    def rolled_back_means_everywhere(self) -> None:
        status = self.world.status
        if status.phase in ("RollingBack", "RolledBack"):
            assert status.complete_revision
            assert {one.revision for one in status.clusters} <= {status.complete_revision}

    @invariant()
    def paused_nobody_is_given_anything(self) -> None:
        status = self.world.status
        if status.phase != "Paused" or self.before.phase != "Paused":
            return
        had = {one.name: one.revision for one in self.before.clusters}
        for one in status.clusters:
            assert one.revision == had.get(one.name, one.revision)

    def teardown(self) -> None:
        """Every path ends: once all is well and everybody agrees, everybody holds the target."""
        if not hasattr(self, "world") or not self.world.names:
            return
        world = self.world
        world.say(paused=False, attempt=world.spec.attempt + 1)
        for _ in range(40):
            world.seen = dict.fromkeys(world.names, HEALTHY)
            if world.step(31).phase == "WaitingForApproval":
                world.approve(world.status.stage)
        assert world.status.phase == "Complete"
        assert world.holding(world.target) == sorted(world.names)
        assert world.wake_after is None


TestRollout = Rollout.TestCase
TestRollout.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
