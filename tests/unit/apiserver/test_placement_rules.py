"""Placements that contradict themselves are refused, each fault with its field."""

import pytest

from shared.api.cluster_group import ClusterGroup
from shared.api.meta import read
from shared.api.policy import PropagationPolicy
from shared.apiserver.rules.groups import check_group
from shared.apiserver.rules.policies import check_policy

DIVIDED = {"replicaSchedulingType": "Divided"}
REGION = {"spreadByField": "region"}


def faults(placement):
    spec = {"resourceSelectors": [{"apiVersion": "v1", "kind": "Secret"}], "placement": placement}
    policy = read({"metadata": {"name": "p", "namespace": "shop"}, "spec": spec}, PropagationPolicy)
    return {
        fault.path.removeprefix("spec.placement."): fault.message for fault in check_policy(policy)
    }


@pytest.mark.parametrize(
    ("placement", "field", "words"),
    [
        (
            {"clusterAffinity": {}, "clusterAffinities": [{"affinityName": "a"}]},
            "clusterAffinities",
            "together with clusterAffinity",
        ),
        ({"clusterAffinities": [{"affinityName": ""}]}, "clusterAffinities[0].affinityName", "32"),
        (
            {
                "clusterAffinities": [
                    {"affinityName": "a", "overflowAffinities": [{"affinityName": "a"}]}
                ]
            },
            "clusterAffinities[0].overflowAffinities[0].affinityName",
            "Duplicate value",
        ),
        (
            {"clusterAffinity": {"celSelector": {"celExpressions": ["true", "cluster.spec =="]}}},
            "clusterAffinity.celSelector.celExpressions[1]",
            "compilation failed",
        ),
        (
            {"clusterAffinity": {"celSelector": {"celExpressions": ["'text'"]}}},
            "clusterAffinity.celSelector.celExpressions[0]",
            "must evaluate to a bool",
        ),
        (
            {"clusterAffinity": {"clusterGroups": ["No Name"]}},
            "clusterAffinity.clusterGroups[0]",
            "Invalid value",
        ),
        (
            {"preferredClusterAffinities": [{"weight": 101, "preference": {}}]},
            "preferredClusterAffinities[0].weight",
            "between 1 and 100",
        ),
        (
            {"spreadConstraints": [{**REGION, "spreadByLabel": "rack"}]},
            "spreadConstraints[0].spreadByLabel",
            "together with spreadByField",
        ),
        (
            {"spreadConstraints": [{**REGION, "minGroups": 3, "maxGroups": 2}]},
            "spreadConstraints[0].maxGroups",
            "must not be below minGroups",
        ),
        (
            {"spreadConstraints": [{**REGION, "maxSkew": -1}]},
            "spreadConstraints[0].maxSkew",
            "must be 0 or more",
        ),
        ({"spreadConstraints": [REGION, REGION]}, "spreadConstraints[1]", "Duplicate value"),
        (
            {"spreadConstraints": [{"spreadByLabel": "a b"}]},
            "spreadConstraints[0].spreadByLabel",
            "Invalid value",
        ),
        (
            {
                "spreadConstraints": [
                    {**REGION, "maxSkew": 1},
                    {"spreadByField": "zone", "maxSkew": 1},
                ],
                "replicaScheduling": DIVIDED,
            },
            "spreadConstraints[1].maxSkew",
            "by one constraint only",
        ),
        (
            {
                "spreadConstraints": [{**REGION, "maxSkew": 1}],
                "clusterAffinities": [
                    {"affinityName": "a", "overflowAffinities": [{"affinityName": "b"}]}
                ],
                "replicaScheduling": DIVIDED,
            },
            "spreadConstraints[0].maxSkew",
            "together with overflowAffinities",
        ),
        (
            {
                "spreadConstraints": [{**REGION, "maxSkew": 1}],
                "replicaScheduling": {"replicaLimits": [{"targetCluster": {}, "priority": 1}]},
            },
            "spreadConstraints[0].maxSkew",
            "priority",
        ),
        (
            {"workloadAffinity": {"affinity": {"groupByLabelKey": "-"}}},
            "workloadAffinity.affinity.groupByLabelKey",
            "Invalid value",
        ),
        (
            {
                "replicaScheduling": {
                    "replicaSchedulingType": "Duplicated",
                    "replicaDivisionPreference": "Aggregated",
                }
            },
            "replicaScheduling.replicaDivisionPreference",
            "Duplicated, not Divided",
        ),
        (
            {
                "replicaScheduling": {
                    "replicaDivisionPreference": "Aggregated",
                    "weightPreference": {"dynamicWeight": "AvailableReplicas"},
                }
            },
            "replicaScheduling.weightPreference",
            "Aggregated, not Weighted",
        ),
    ],
)
def test_a_fault_is_told_with_its_field(placement, field, words):
    assert words in faults(placement)[field]


def test_a_placement_of_everything_is_allowed():
    assert not faults(
        {
            "clusterAffinities": [
                {"affinityName": "own", "clusterGroups": ["eu"]},
                {"affinityName": "rented", "celSelector": {"celExpressions": ["true"]}},
            ],
            "preferredClusterAffinities": [{"weight": 1, "preference": {"clusterNames": ["a"]}}],
            "spreadConstraints": [
                {**REGION, "minGroups": 2, "maxGroups": 3, "maxSkew": 1},
                {"spreadByLabel": "example.com/rack", "minGroups": 1},
            ],
            "workloadAffinity": {"antiAffinity": {"groupByLabelKey": "app"}},
            "replicaScheduling": DIVIDED,
        }
    )


def test_a_group_names_namespaces_and_clusters():
    group = read(
        {"metadata": {"name": "g"}, "spec": {"clusterNames": ["A"], "namespaces": ["b c"]}},
        ClusterGroup,
    )
    assert {fault.path for fault in check_group(group)} == {
        "spec.clusterNames[0]",
        "spec.namespaces[0]",
    }
