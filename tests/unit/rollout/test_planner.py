import pytest

from services.propagator.core.rollout.observation import UNSEEN, Outcome, Seen
from services.propagator.core.rollout.situation import HeldRevision
from tests.unit.rollout.rollout_world import (
    DEGRADED,
    HEALTHY,
    SILENT,
    World,
    named,
    settled_world,
    strategy,
)

FOUR = ["a", "b", "c", "d"]
THREE_STAGES = strategy(
    stages=[
        named("canary", "a"),
        {"name": "half", "percentage": 50, "maxConcurrency": 1},
        {"name": "rest", "approval": "Required"},
    ],
    onFailure="Rollback",
)


def test_a_first_revision_goes_by_the_stages_too():
    world = World(strategy(stages=[named("canary", "a")]), FOUR)

    world.step()

    assert world.holding(1) == ["a"]
    assert world.holding(0) == ["b", "c", "d"]
    assert world.all_well().phase == "Complete"
    assert world.status.complete_revision == 1


def test_what_everybody_holds_already_needs_no_stages():
    found = {name: HeldRevision(1, 1) for name in FOUR}
    world = World(THREE_STAGES, FOUR, found=found)

    assert world.all_well().phase == "Complete"
    assert (world.status.complete_revision, world.holding(1)) == (1, FOUR)


def test_stages_follow_one_another_and_the_last_waits_for_a_yes():
    world = settled_world(THREE_STAGES, FOUR)

    world.change(2)
    assert world.holding(2) == ["a"]
    world.seen["a"] = HEALTHY
    world.step()
    assert world.holding(2) == ["a", "b"], "half of the three that are left, one at a time"
    world.seen["b"] = HEALTHY
    world.step()
    assert world.holding(2) == ["a", "b", "c"]
    world.seen["c"] = HEALTHY
    world.step()
    assert (world.status.phase, world.status.stage) == ("WaitingForApproval", "rest")
    assert world.holding(1) == ["d"]
    world.approve("rest", revision=1)
    assert world.step().phase == "WaitingForApproval", "approved for another revision"
    world.approve("rest")
    world.step()
    assert world.holding(2) == FOUR
    assert world.all_well().phase == "Complete"
    assert (world.status.complete_revision, world.status.previous_revision) == (2, 1)
    assert world.condition("Complete") == "True"


def test_healthy_counts_after_the_time_that_was_asked_for():
    world = settled_world(strategy(stages=[named("canary", "a", minSuccessTime="60s")]), FOUR)
    world.change(2)
    world.seen["a"] = HEALTHY
    world.step()
    assert world.wake_after is not None
    assert world.wake_after.total_seconds() == 60

    world.seen["a"] = Seen(Outcome.UNSETTLED)
    world.step(59)
    world.seen["a"] = HEALTHY
    world.step()
    world.step(59)
    assert world.holding(2) == ["a"], "it was not well without a break"

    world.step(1)
    assert world.holding(2) == FOUR


@pytest.mark.parametrize("how", ["degraded", "late", "unfit"])
def test_a_failure_gives_everybody_the_complete_revision_back(how: str):
    world = settled_world(THREE_STAGES, FOUR)
    world.change(2)
    if how == "degraded":
        world.seen["a"] = DEGRADED
        world.step()
    elif how == "unfit":
        world.seen["a"] = Seen(Outcome.UNFIT, message="no container web")
        world.step()
    else:
        world.step(599)
        assert world.status.phase == "Progressing"
        world.step(1)

    assert world.status.phase == "RollingBack"
    assert world.holding(1) == FOUR
    assert world.in_state("Reverting") == ["a"]
    world.all_well()
    assert (world.status.phase, world.in_state("Reverted")) == ("RolledBack", FOUR)
    assert "failed in a" in world.status.message
    assert "the template still says revision 2" in world.status.message
    assert world.settle().phase == "RolledBack", "it does not try again by itself"


def test_a_failure_pauses_where_that_is_asked_for_until_somebody_tries_again():
    world = settled_world(strategy(stages=[named("canary", "a")]), FOUR)
    world.change(2)
    world.seen["a"] = DEGRADED
    world.step()
    assert (world.status.phase, world.holding(2)) == ("Failed", ["a"])
    world.all_well()
    assert world.status.phase == "Failed", "a member that recovers decides nothing"
    assert world.holding(2) == ["a"]

    world.say(attempt=1)
    assert world.all_well().phase == "Complete"


def test_without_a_complete_revision_there_is_nothing_to_return_to():
    world = World(strategy(onFailure="Rollback"), FOUR)
    world.step()
    world.seen["b"] = DEGRADED

    assert world.step().phase == "Failed"
    assert world.holding(1) == FOUR


def test_so_many_may_fail():
    world = settled_world(strategy(maxFailures="50%"), FOUR)
    world.change(2)
    world.seen = {"a": DEGRADED, "b": DEGRADED, "c": HEALTHY, "d": HEALTHY}
    assert world.step().phase == "Complete"
    assert "failed in a (Degraded), b (Degraded)" in world.status.message

    world.change(3)
    world.seen = {"a": DEGRADED, "b": DEGRADED, "c": DEGRADED, "d": HEALTHY}
    assert world.step().phase == "Failed"


def test_a_rolled_back_revision_is_tried_again_when_asked_for_and_a_new_one_by_itself():
    world = settled_world(THREE_STAGES, FOUR)
    world.change(2)
    world.seen["a"] = DEGRADED
    world.step()
    world.all_well()

    world.say(attempt=1)
    world.seen = {}
    world.step()
    assert (world.status.phase, world.holding(2)) == ("Progressing", ["a"])

    world.seen["a"] = DEGRADED
    world.step()
    assert world.status.phase == "RollingBack"
    world.change(3)
    assert (world.status.phase, world.holding(3)) == ("Progressing", ["a"])


def test_a_change_in_the_middle_supersedes_and_goes_first_to_those_who_lost_their_rest():
    world = settled_world(strategy(maxConcurrency=1), FOUR)
    world.change(2)
    world.seen["a"] = HEALTHY
    world.step()
    assert world.holding(2) == ["a", "b"]

    world.change(3)
    assert world.holding(3) == ["a"]
    world.seen["a"] = HEALTHY
    world.step()
    assert world.holding(3) == ["a", "b"]
    world.seen["b"] = DEGRADED
    world.step()
    assert world.status.phase == "Failed"


def test_going_back_to_what_was_complete_needs_no_stages():
    world = settled_world(THREE_STAGES, FOUR)
    world.change(2)
    world.change(1)

    assert world.holding(1) == FOUR
    assert world.all_well().phase == "Complete"


def test_a_label_says_who_comes_first():
    rules = strategy(maxConcurrency=1, sortingLabelKey="wave")
    world = settled_world(rules, FOUR)
    world.labels = {
        "c": {"wave": "-1"},
        "b": {"wave": "10"},
        "d": {"wave": "9"},
        "a": {"wave": "x"},
    }
    world.change(2)
    for number in range(1, 5):
        assert world.holding(2) == sorted("cdba"[:number])
        world.seen = dict.fromkeys("cdba"[:number], HEALTHY)
        world.step()
    assert world.status.phase == "Complete"


def test_paused_nothing_is_given_and_nothing_fails():
    world = settled_world(strategy(maxConcurrency=2), FOUR)
    world.change(2)
    world.say(paused=True)
    world.seen = {"a": HEALTHY}
    world.step(10_000)
    assert (world.status.phase, world.holding(2)) == ("Paused", ["a", "b"])
    assert world.in_state("Updated") == ["a"]

    world.say(paused=False)
    world.step()
    assert world.holding(2) == ["a", "b", "c"]
    world.step(599)
    assert world.status.phase == "Progressing", "its time stood still meanwhile"
    world.step(1)
    assert world.status.phase == "Failed"


def test_a_silent_cluster_is_waited_for_and_has_its_time_when_it_is_back():
    world = settled_world(strategy(maxConcurrency=1), FOUR)
    world.change(2)
    world.seen["a"] = SILENT
    world.step(10_000)
    world.step(10_000)
    assert (world.status.phase, world.holding(2)) == ("Progressing", ["a"])
    assert "nothing is heard" in world.status.message

    world.seen["a"] = Seen(Outcome.UNSETTLED)
    world.step()
    world.step(599)
    assert world.status.phase == "Progressing"
    world.step(1)
    assert world.status.phase == "Failed"


def test_a_cluster_from_which_nothing_came_has_longer_for_it_may_be_gone():
    world = settled_world(strategy(maxConcurrency=1), FOUR)
    world.change(2)
    world.seen["a"] = UNSEEN
    world.step(629)
    assert world.status.phase == "Progressing"
    world.step(1)
    assert world.status.phase == "Failed"


def test_no_deadline_runs_out_while_nobody_looked():
    world = settled_world(strategy(), FOUR)
    world.change(2)
    world.watched_since = world.now.replace(hour=18)
    world.step(6 * 3600)

    assert world.status.phase == "Progressing"
    world.step(600)
    assert world.status.phase == "Failed"


def test_a_cluster_that_joins_gets_the_complete_revision_until_its_turn():
    world = settled_world(THREE_STAGES, FOUR)
    world.change(2)
    world.names = [*FOUR, "e"]
    world.step()

    assert (world.of("e").revision, world.of("e").stage) == (1, "rest")
    assert world.of("e").state == "Waiting"


def test_a_cluster_that_joins_afterwards_gets_what_all_have():
    world = settled_world(THREE_STAGES, FOUR)
    world.names = [*FOUR, "e"]
    world.step()

    assert (world.status.phase, world.of("e").revision) == ("Complete", 1)


def test_a_cluster_that_is_lost_holds_nobody_up_once_it_is_not_chosen_any_more():
    world = settled_world(strategy(maxConcurrency=1), FOUR)
    world.change(2)
    world.seen["a"] = SILENT
    world.step()
    world.names, world.leaving = ["b", "c", "d"], ["a"]
    world.step()

    assert world.holding(2) == ["a", "b"]
    assert world.of("a").revision == 2, "a share that leaves stays as it is"
    assert world.all_well().phase == "Complete"


@pytest.mark.parametrize("returns", [False, True])
def test_a_stage_that_loses_all_its_clusters_under_the_change_proves_nothing(returns):
    world = settled_world(strategy(stages=[named("canary", "a")]), FOUR)
    world.change(2)
    world.seen["a"] = SILENT
    world.names, world.leaving = ["b", "c", "d"], ["a"]
    for _ in range(3):
        world.step()
        assert (world.status.phase, world.status.stage) == ("WaitingForApproval", "canary")
    assert world.status.message == (
        "stage canary lost a while revision 2 was tried there, and goes on when it is back, "
        "or revision 2 is approved for the stage"
    )
    assert world.holding(1) == ["b", "c", "d"]
    if returns:
        world.names, world.leaving = FOUR, []
        world.seen["a"] = HEALTHY
    else:
        world.approve("canary")
    assert world.all_well().phase == "Complete"
    assert world.holding(2) == FOUR


@pytest.mark.parametrize("how", ["updating", "reverted", "waiting"])
def test_a_share_that_was_leaving_when_another_change_came_takes_its_turn_when_it_stays(how: str):
    rules = strategy(maxConcurrency=1, onFailure="Rollback")
    world = settled_world(rules, FOUR)
    leaving = "b" if how == "waiting" else "a"
    world.change(2)
    if how == "reverted":
        world.seen["a"] = DEGRADED
        world.step()
        world.all_well()
        assert world.of("a").state == "Reverted"
    world.names, world.leaving = [one for one in FOUR if one != leaving], [leaving]
    world.step()
    world.change(1 if how == "waiting" else 3)
    world.names, world.leaving = FOUR, []

    assert world.all_well().phase == "Complete"
    assert world.in_state("Updated") == FOUR
    assert world.holding(world.target) == FOUR


def test_a_stage_without_clusters_is_passed_and_gates_who_joins_it():
    rules = strategy(
        stages=[named("canary", "x", approval="Required"), {"name": "all", "maxConcurrency": 1}]
    )
    world = settled_world(rules, FOUR)
    world.change(2)
    assert world.holding(2) == ["a"]
    world.names = [*FOUR, "x"]
    world.seen["a"] = HEALTHY
    world.step()

    assert (world.of("x").stage, world.of("x").revision) == ("canary", 1)
    assert (world.status.phase, world.holding(2)) == ("WaitingForApproval", ["a"])


def test_a_scale_in_the_middle_moves_nobody():
    world = settled_world(THREE_STAGES, FOUR)
    world.change(2)
    world.template_generation += 1
    world.step()

    assert world.holding(2) == ["a"]
    assert world.of("a").template_generation == world.template_generation
    assert world.of("b").template_generation == 1


def test_where_no_cluster_is_chosen_nothing_is_complete():
    world = World(THREE_STAGES, [])
    assert world.step().phase == "Progressing"
    world.names = FOUR
    world.step()

    assert world.holding(1) == ["a"]


def test_stages_that_were_rewritten_meanwhile_lose_nobody():
    world = settled_world(THREE_STAGES, FOUR)
    world.change(2)
    world.rules = strategy(stages=[named("other", "d", approval="Required")])
    world.step()

    assert {one.name: one.stage for one in world.status.clusters} == {
        "a": "remaining",
        "b": "remaining",
        "c": "remaining",
        "d": "other",
    }
    world.approve("other")
    assert world.all_well().phase == "Complete"


def test_what_nobody_kept_a_record_of_cannot_be_given_back():
    world = settled_world(THREE_STAGES, FOUR)
    world.change(2)
    world.gone = {1}
    world.seen["a"] = DEGRADED

    assert world.step().phase == "Failed"
    assert world.holding(2) == ["a"]
    assert "the record of revision 1 is gone" in world.of("b").message
