"""What a policy may not say of failover, and where the fault is."""

from typing import Any

import pytest

from tests.unit.apiserver.test_ownership_rules import faults

RULE = {"aliasLabelName": "shop.example/checkpoint", "jsonPath": "{.checkpoint.id}"}


@pytest.mark.parametrize(
    ("application", "wrong"),
    [
        ({}, []),
        ({"purgeMode": "Never", "decisionConditions": {"tolerationSeconds": 0}}, []),
        ({"gracePeriodSeconds": 600, "statePreservation": {"rules": [RULE]}}, []),
        (
            {"decisionConditions": {"tolerationSeconds": -1}},
            ["decisionConditions.tolerationSeconds"],
        ),
        ({"gracePeriodSeconds": 0}, ["gracePeriodSeconds"]),
        ({"gracePeriodSeconds": 9, "purgeMode": "Directly"}, ["gracePeriodSeconds"]),
        ({"statePreservation": {}}, ["statePreservation.rules"]),
        (
            {"statePreservation": {"rules": [RULE, {"aliasLabelName": "a b", "jsonPath": "{.x["}]}},
            [
                "statePreservation.rules[1].aliasLabelName",
                "statePreservation.rules[1].jsonPath",
            ],
        ),
    ],
)
def test_what_contradicts_itself_is_refused(application: dict[str, Any], wrong: list[str]) -> None:
    expected = [f"spec.failover.application.{one}" for one in wrong]
    assert faults(failover={"application": application}) == expected


def test_state_of_a_lost_cluster_is_read_by_the_same_rules() -> None:
    cluster = {"statePreservation": {"rules": [{**RULE, "jsonPath": "]["}]}}
    where = "spec.failover.cluster.statePreservation.rules[0].jsonPath"
    assert faults(failover={"cluster": cluster}) == [where]
