"""What a quota may say, each fault with its field."""

import pytest

from shared.api.cluster_group import ClusterGroup
from shared.api.meta import read
from shared.api.quota import FederatedResourceQuota
from shared.apiserver.rules.groups import check_group
from shared.apiserver.rules.quotas import check_quota


def told(spec):
    found = read(
        {"metadata": {"name": "q", "namespace": "n"}, "spec": spec}, FederatedResourceQuota
    )
    return {fault.path: fault.message for fault in check_quota(found)}


@pytest.mark.parametrize(
    ("spec", "field", "words"),
    [
        ({"overall": {}}, "spec.overall", "at least one limit"),
        ({"overall": {"cpu": "much"}}, "spec.overall[cpu]", "not a quantity"),
        ({"overall": {"cpu": "-1"}}, "spec.overall[cpu]", "greater than or equal to 0"),
        ({"overall": {"services": "1"}}, "spec.overall[services]", "what pods ask for"),
        (
            {
                "overall": {"cpu": "2"},
                "staticAssignments": [
                    {"clusterName": "a", "hard": {"cpu": "1"}},
                    {"clusterName": "a", "hard": {"cpu": "1"}},
                ],
            },
            "spec.staticAssignments[1].clusterName",
            "Duplicate value",
        ),
        (
            {
                "overall": {"cpu": "2"},
                "staticAssignments": [{"clusterName": "a", "hard": {"cpu": "3"}}],
            },
            "spec.staticAssignments",
            "exceed what there is of cpu",
        ),
    ],
)
def test_a_quota_that_makes_no_sense_is_refused(spec, field, words):
    assert words in told(spec)[field]


def test_a_quota_that_does_is_not():
    assert told({"overall": {"cpu": "2", "requests.nvidia.com/gpu": "1", "pods": "9"}}) == {}


def test_a_group_is_held_to_the_same():
    spec = {"quota": {"hard": {"limits.cpu": "1"}}}
    group = read({"metadata": {"name": "eu"}, "spec": spec}, ClusterGroup)
    (fault,) = check_group(group)
    assert fault.path == "spec.quota.hard[limits.cpu]"


def test_amounts_may_be_numbers_as_everywhere_in_kubernetes():
    spec = {
        "overall": {"cpu": 100, "memory": "20Gi"},
        "staticAssignments": [{"clusterName": "a", "hard": {"cpu": 40}}],
    }
    assert told(spec) == {}
    assert "exceed" in told({**spec, "overall": {"cpu": 30}})["spec.staticAssignments"]
    found = read({"metadata": {"name": "q"}, "spec": spec}, FederatedResourceQuota)
    assert found.spec.limits == {"cpu": "100", "memory": "20Gi"}
