"""Placements that contradict themselves are refused, each fault with its field."""

import pytest

from shared.api.cluster import Cluster
from shared.api.cluster_group import ClusterGroup
from shared.api.meta import read
from shared.api.policy import PropagationPolicy
from shared.apiserver.rules.clusters import check_cluster, with_times
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
            {"clusterAffinities": [{"affinityName": "a b"}]},
            "clusterAffinities[0].affinityName",
            "letters, digits",
        ),
        (
            {
                "clusterAffinities": [
                    {"affinityName": "a", "overflowAffinities": [{"affinityName": "b"}]}
                ]
            },
            "clusterAffinities[0].overflowAffinities",
            "has every cluster already",
        ),
        (
            {
                "workloadAffinity": {
                    "affinity": {"groupByLabelKey": "team"},
                    "antiAffinity": {"groupByLabelKey": "team"},
                }
            },
            "workloadAffinity.antiAffinity.groupByLabelKey",
            "keep away from them",
        ),
        (
            {"clusterTolerations": [{"key": "a b", "operator": "Exists"}]},
            "clusterTolerations[0].key",
            "letters, digits",
        ),
        (
            {"clusterTolerations": [{"key": "a", "value": "b c"}]},
            "clusterTolerations[0].value",
            "letters, digits",
        ),
        ({"optimise": {}}, "optimise", "static weights"),
        ({"optimise": {}, "replicaScheduling": DIVIDED}, "optimise", "static weights"),
        (
            {
                "optimise": {"timeLimitSeconds": 600},
                "replicaScheduling": {**DIVIDED, "replicaDivisionPreference": "Aggregated"},
            },
            "optimise.timeLimitSeconds",
            "between 1 and 60",
        ),
        (
            {
                "clusterAffinities": [
                    {
                        "affinityName": "a",
                        "clusterNames": ["x"],
                        "overflowAffinities": [{"affinityName": "a"}],
                    }
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
        ({"scores": [{"name": "price", "weight": 0}]}, "scores[0].weight", "between 1 and 100"),
        ({"scores": [{"name": "Best One"}]}, "scores[0].name", "Invalid value"),
        ({"scores": [{"name": "x"}, {"name": "x"}]}, "scores[1].name", "Duplicate value"),
        ({"scores": [{"name": "x", "best": 1}]}, "scores[0].worst", "given together"),
        ({"scores": [{"name": "x", "best": 1, "worst": 1}]}, "scores[0].worst", "not be best"),
        (
            {"scores": [{"name": "x", "best": 1, "worst": 9, "prefer": "Lowest"}]},
            "scores[0].prefer",
            "say which value",
        ),
        (
            {"scores": [{"name": "latency", "fromRegion": "eu", "fromCluster": "a"}]},
            "scores[0].fromCluster",
            "fromRegion is given as well",
        ),
        (
            {"scores": [{"name": "latency", "fromCluster": "A b"}]},
            "scores[0].fromCluster",
            "RFC 1123",
        ),
        (
            {"scores": [{"name": "price", "fromWorkload": {"name": "db"}}]},
            "scores[0].fromWorkload",
            "latency only",
        ),
        (
            {"scores": [{"name": "latency", "fromWorkload": {"name": ""}}]},
            "scores[0].fromWorkload.name",
            "same namespace",
        ),
        (
            {"scores": [{"name": "price", "fromRegion": "eu"}]},
            "scores[0].fromRegion",
            "of the score latency only",
        ),
        ({"scores": [{"name": f"x{n}"} for n in range(17)]}, "scores", "at most 16"),
        ({"plugins": [{"name": "p"}]}, "plugins[0].weight", "filters, or has a weight"),
        ({"plugins": [{"name": "p", "weight": 101}]}, "plugins[0].weight", "between 0 and 100"),
        (
            {"plugins": [{"name": "p", "filter": True, "timeoutMilliseconds": 60_000}]},
            "plugins[0].timeoutMilliseconds",
            "between 1 and 5000",
        ),
        (
            {"plugins": [{"name": "p", "filter": True}, {"name": "p", "weight": 1}]},
            "plugins[1].name",
            "Duplicate value",
        ),
        (
            {"plugins": [{"name": f"p{n}", "filter": True} for n in range(5)]},
            "plugins",
            "at most 4",
        ),
        (
            {
                "replicaScheduling": {
                    **DIVIDED,
                    "weightPreference": {"dynamicWeight": "Price", "fromRegion": "eu"},
                }
            },
            "replicaScheduling.weightPreference.fromRegion",
            "dynamicWeight Latency only",
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


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"price": {"cpu": "cheap"}}, "spec.price.cpu"),
        ({"price": {"memory": "-1"}}, "spec.price.memory"),
        ({"carbonIntensity": -1}, "spec.carbonIntensity"),
        ({"latencies": [{"milliseconds": 5}]}, "spec.latencies[0].cluster"),
        (
            {"latencies": [{"cluster": "a", "region": "b", "milliseconds": 5}]},
            "spec.latencies[0].cluster",
        ),
        (
            {"latencies": [{"region": "b", "milliseconds": 5}, {"region": "b", "milliseconds": 6}]},
            "spec.latencies[1]",
        ),
        ({"latencies": [{"region": "b", "milliseconds": -5}]}, "spec.latencies[0].milliseconds"),
        ({"price": {"cpu": "31m", "memory": "0.004", "gpu": "2.48"}, "carbonIntensity": 40}, ""),
    ],
)
def test_what_a_cluster_costs(spec, field):
    cluster = read({"metadata": {"name": "eu-1"}, "spec": spec}, Cluster)
    assert [one.path for one in check_cluster(cluster)] == ([field] if field else [])


def test_dispatch_is_suspended_everywhere_or_in_some_clusters():
    spec = {
        "resourceSelectors": [{"apiVersion": "v1", "kind": "Secret"}],
        "suspension": {"dispatching": True, "dispatchingOnClusters": {"clusterNames": ["a"]}},
    }
    policy = read({"metadata": {"name": "p", "namespace": "shop"}, "spec": spec}, PropagationPolicy)
    (fault,) = check_policy(policy)
    assert fault.path == "spec.suspension.dispatchingOnClusters.clusterNames"


NOW = "2026-01-02T00:00:00Z"


def test_taints_that_have_things_leave_say_since_when():
    old = {"key": "a", "effect": "NoExecute", "timeAdded": "2026-01-01T00:00:00Z"}
    taints = [
        {"key": "a", "effect": "NoExecute"},
        {"key": "b", "value": "x", "effect": "NoExecute"},
        {"key": "c", "effect": "NoSchedule"},
        {"key": "d", "effect": "NoExecute", "timeAdded": "2025-01-01T00:00:00Z"},
    ]
    dated = with_times(taints, [old, {"key": "b", "value": "y", "effect": "NoExecute"}], NOW)
    assert [one.get("timeAdded") for one in dated] == [
        "2026-01-01T00:00:00Z",
        NOW,
        None,
        "2025-01-01T00:00:00Z",
    ]
