"""What rebalancers and auto migration may say, each fault with its field."""

import pytest

from shared.api.meta import read
from shared.api.policy import PropagationPolicy
from shared.api.rebalancer import WorkloadRebalancer
from shared.apiserver.rules.policies import check_policy
from shared.apiserver.rules.rebalancers import check_rebalancer

WEB = {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "shop", "name": "web"}
DIVIDED = {"replicaScheduling": {"replicaSchedulingType": "Divided"}}


def told(spec):
    found = read({"metadata": {"name": "r"}, "spec": spec}, WorkloadRebalancer)
    return {fault.path: fault.message for fault in check_rebalancer(found)}


@pytest.mark.parametrize(
    ("spec", "field", "words"),
    [
        ({"workloads": []}, "spec.workloads", "at least one"),
        ({"workloads": [{**WEB, "kind": ""}]}, "spec.workloads[0].kind", "Required"),
        ({"workloads": [{**WEB, "name": ""}]}, "spec.workloads[0].name", "Required"),
        ({"workloads": [{**WEB, "apiVersion": ""}]}, "spec.workloads[0].apiVersion", "Required"),
        ({"workloads": [WEB, WEB]}, "spec.workloads[1]", "Duplicate value"),
        (
            {"workloads": [WEB], "ttlSecondsAfterFinished": -1},
            "spec.ttlSecondsAfterFinished",
            "greater than or equal to 0",
        ),
    ],
)
def test_a_rebalancer_that_makes_no_sense_is_refused(spec, field, words):
    assert words in told(spec)[field]


def test_a_rebalancer_that_does_is_not():
    assert told({"workloads": [WEB], "ttlSecondsAfterFinished": 0}) == {}


def faults(migration, placement):
    spec = {
        "resourceSelectors": [{"apiVersion": "apps/v1", "kind": "Deployment"}],
        "placement": placement,
        "autoMigration": migration,
    }
    policy = read({"metadata": {"name": "p", "namespace": "shop"}, "spec": spec}, PropagationPolicy)
    return {fault.path: fault.message for fault in check_policy(policy)}


@pytest.mark.parametrize(("text", "words"), [("soon", "a duration"), ("3s", "at least 10s")])
def test_how_long_pods_wait_is_a_duration(text, words):
    found = faults({"when": {"podUnschedulableFor": text}}, DIVIDED)
    assert words in found["spec.autoMigration.when.podUnschedulableFor"]


def test_only_what_is_divided_can_go_elsewhere():
    assert faults({}, DIVIDED) == {}
    assert "only Divided" in faults({}, {})["spec.autoMigration"]


@pytest.mark.parametrize(
    ("priority", "words"),
    [
        ({"priorityClassSource": "KubePriorityClass"}, "Required"),
        ({"priorityClassName": "high"}, "the objects' pods name it"),
        ({"priorityClassSource": "KubePriorityClass", "priorityClassName": "high"}, ""),
        ({}, ""),
    ],
)
def test_a_class_is_named_where_it_counts(priority, words):
    selectors = [{"apiVersion": "apps/v1", "kind": "Deployment"}]
    spec = {"resourceSelectors": selectors, "schedulePriority": priority}
    policy = read({"metadata": {"name": "p", "namespace": "shop"}, "spec": spec}, PropagationPolicy)
    found = {fault.path: fault.message for fault in check_policy(policy)}
    if words:
        assert words in found["spec.schedulePriority.priorityClassName"]
    else:
        assert found == {}


def test_what_moves_would_change_by_itself_is_not_followed():
    spec = {
        "resourceSelectors": [{"apiVersion": "apps/v1", "kind": "Deployment"}],
        "placement": {"scores": [{"name": "free-cpu", "best": 100, "worst": 0}]},
        "reschedulePolicy": {"rescheduleWhen": {"scoreGain": 10}},
    }
    policy = read({"metadata": {"name": "p", "namespace": "shop"}, "spec": spec}, PropagationPolicy)
    (fault,) = check_policy(policy)
    assert fault.path == "spec.placement.scores[0].name"
