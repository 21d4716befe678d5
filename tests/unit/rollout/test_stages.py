import pytest

from services.propagator.core.rollout.stages import assign, stages_of
from shared.api.cluster import Cluster, ClusterSpec
from shared.api.meta import ObjectMeta
from shared.api.selection import ClusterAffinity
from tests.unit.rollout.rollout_world import named, strategy


def clusters(*names: str) -> dict[str, Cluster | None]:
    return {
        name: Cluster(
            metadata=ObjectMeta(name=name), spec=ClusterSpec(region=name.partition("-")[0])
        )
        for name in names
    }


FLEET = clusters("ap-1", "eu-1", "eu-2", "eu-3", "us-1", "us-2")
BY_REGION = {
    "name": "eu",
    "clusterAffinity": {
        "fieldSelector": {
            "matchExpressions": [{"key": "region", "operator": "In", "values": ["eu"]}]
        }
    },
}


def test_each_stage_takes_of_what_is_left():
    rules = strategy(stages=[{**BY_REGION, "percentage": 34}, {"name": "half", "percentage": 50}])
    assert assign(rules, FLEET, {}) == {
        "eu-1": "eu",
        "eu-2": "eu",
        "ap-1": "half",
        "eu-3": "half",
        "us-1": "remaining",
        "us-2": "remaining",
    }


def test_a_share_of_a_stage_is_the_first_by_its_label():
    fleet = {
        name: Cluster(metadata=ObjectMeta(name=name, labels={"wave": wave}))
        for name, wave in (("a", "3"), ("b", "1"), ("c", "2"), ("d", ""))
    }
    rules = strategy(stages=[{"name": "half", "percentage": 50, "sortingLabelKey": "wave"}])
    assert {name for name, one in assign(rules, fleet, {}).items() if one == "half"} == {"b", "c"}


def test_who_was_assigned_stays_though_the_fleet_grows_and_shrinks():
    rules = strategy(stages=[{"name": "half", "percentage": 50}, {"name": "rest"}])
    before = assign(rules, FLEET, {})
    smaller = {name: FLEET[name] for name in ("eu-3", "us-1", "us-2")}
    assert set(assign(rules, smaller, before).values()) == {"rest"}
    larger = assign(rules, {**FLEET, **clusters("aa-1")}, before)
    assert larger == {**before, "aa-1": "rest"}, "whoever comes later does not come first"


def test_whoever_comes_later_joins_the_stage_that_names_it():
    rules = strategy(stages=[BY_REGION, {"name": "rest", "percentage": 100}])
    before = assign(rules, clusters("us-1"), {})
    found = assign(rules, clusters("us-1", "eu-9", "us-2"), before)
    assert found == {"us-1": "rest", "eu-9": "eu", "us-2": "rest"}


def test_a_stage_takes_the_clusters_of_a_group():
    rules = strategy(stages=[{"name": "first", "clusterAffinity": {"clusterGroups": ["canary"]}}])
    canary = {"canary": ClusterAffinity(cluster_names=("eu-2", "us-1"))}
    found = assign(rules, FLEET, {}, canary)
    assert {name for name, stage in found.items() if stage == "first"} == {"eu-2", "us-1"}
    assert set(assign(rules, FLEET, {}).values()) == {"remaining"}


def test_a_cluster_that_cannot_be_read_stays_where_it_was():
    rules = strategy(stages=[BY_REGION])
    assert assign(rules, {"eu-1": None, "eu-2": None}, {"eu-1": "eu"}) == {
        "eu-1": "eu",
        "eu-2": "remaining",
    }


@pytest.mark.parametrize(
    ("value", "clusters", "concurrency", "failures"),
    [(1, 10, 1, 1), (20, 10, 20, 20), ("25%", 10, 3, 2), ("1%", 10, 1, 0), ("100%", 0, 1, 0)],
)
def test_portions(value: int | str, clusters: int, concurrency: int, failures: int):
    stage = stages_of(strategy(maxConcurrency=value, maxFailures=value))[0]
    assert stage.concurrency_of(clusters) == concurrency
    assert stage.failures_of(clusters) == failures


def test_a_stage_says_for_itself_what_the_strategy_says_for_all():
    rules = strategy(
        maxConcurrency=2,
        minSuccessTime="1m",
        stages=[named("own", "a", maxConcurrency=5, maxFailures=3, progressDeadline="1h")],
    )
    own, remaining = stages_of(rules)
    assert (own.concurrency, own.failures, own.success.seconds, own.deadline.seconds) == (
        5,
        3,
        60,
        3600,
    )
    assert (remaining.concurrency, remaining.failures, remaining.deadline.seconds) == (2, 0, 600)
