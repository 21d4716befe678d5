"""What a TrafficPolicy may say."""

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.api.meta import read
from shared.api.traffic_columns import TRAFFIC_COLUMNS
from shared.api.traffic_policy import TrafficPolicy
from shared.apiserver.rules.traffic import check_traffic_policy

EU = {"clusterNames": ["eu-1"]}
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def faults(**spec: Any) -> list[str]:
    policy = read({"spec": {"service": "shop", **spec}}, TrafficPolicy)
    return [one.path.removeprefix("spec.") for one in check_traffic_policy(policy)]


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"hosts": ["shop.example.com", "*.example.com"], "port": 443},
        {"weights": [{"targetCluster": EU, "weight": 1}, {"targetCluster": {}, "weight": 0}]},
        {"weights": [{"targetCluster": {"clusterGroups": ["gold"]}, "weight": 1_000_000}]},
        {"locality": {}},
        {"locality": {"minReadyPercent": 100, "maxRatePerEndpoint": 50}},
        {"failover": {"order": [EU, {}], "returnAfter": "0s"}},
        {"shift": {"to": EU, "steps": [{"percentage": 5, "duration": "1m"}, {"percentage": 100}]}},
        {"shift": {"to": EU, "steps": [{"percentage": 1}], "gate": {"maxErrorPercent": 0.5}}},
        {"sessionAffinity": "Cookie", "sessionTimeout": "30m"},
        {"gateways": [{"cluster": "eu-1", "addresses": ["203.0.113.7:443", "[2001:db8::7]:1"]}]},
        {"gateways": [{"cluster": "eu-1", "addresses": ["lb.example.com:443"]}]},
        {"routes": [{"targetCluster": {"clusterNames": ["edge"]}, "gateway": {"name": "a.b"}}]},
    ],
)
def test_a_sane_policy_is_accepted(spec: dict[str, Any]) -> None:
    assert faults(**spec) == []


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"service": ""}, "service"),
        ({"service": "A.b"}, "service"),
        ({"hosts": ["a..b"]}, "hosts[0]"),
        ({"hosts": ["*"]}, "hosts[0]"),
        ({"hosts": ["a" * 64 + ".example.com"]}, "hosts[0]"),
        ({"hosts": ["*." + "a." * 126 + "a"]}, "hosts[0]"),
        ({"hosts": ["a.b", "a.b"]}, "hosts[1]"),
        ({"port": 0}, "port"),
        ({"port": 65_536}, "port"),
        ({"weights": [{"targetCluster": EU, "weight": -1}]}, "weights[0].weight"),
        ({"weights": [{"targetCluster": EU, "weight": 1_000_001}]}, "weights[0].weight"),
        ({"weights": [{"targetCluster": EU, "weight": 0}]}, "weights"),
        (
            {"weights": [{"targetCluster": {"clusterNames": ["A"]}, "weight": 1}]},
            "weights[0].targetCluster.clusterNames[0]",
        ),
        ({"locality": {"minReadyPercent": 0}}, "locality.minReadyPercent"),
        ({"locality": {"maxRatePerEndpoint": 0}}, "locality.maxRatePerEndpoint"),
        ({"failover": {"order": []}}, "failover.order"),
        ({"failover": {"order": [EU], "minReadyPercent": 101}}, "failover.minReadyPercent"),
        ({"failover": {"order": [EU], "returnAfter": "soon"}}, "failover.returnAfter"),
        ({"failover": {"order": [{"clusterGroups": ["_"]}]}}, "failover.order[0].clusterGroups[0]"),
        ({"shift": {"to": EU, "steps": []}}, "shift.steps"),
        ({"shift": {"to": EU, "steps": [{"percentage": 0}]}}, "shift.steps[0].percentage"),
        (
            {"shift": {"to": EU, "steps": [{"percentage": 9}, {"percentage": 9}]}},
            "shift.steps[1].percentage",
        ),
        (
            {"shift": {"to": EU, "steps": [{"percentage": 9, "duration": "5"}]}},
            "shift.steps[0].duration",
        ),
        (
            {"shift": {"to": EU, "steps": [{"percentage": 9}], "gate": {"maxErrorPercent": 101}}},
            "shift.gate.maxErrorPercent",
        ),
        (
            {"shift": {"to": EU, "steps": [{"percentage": 9}], "gate": {"minRequests": -1}}},
            "shift.gate.minRequests",
        ),
        ({"shift": {"to": EU, "steps": [{"percentage": 9}], "attempt": -1}}, "shift.attempt"),
        ({"sessionTimeout": "0s"}, "sessionTimeout"),
        ({"gateways": [{"cluster": "eu-1", "addresses": []}]}, "gateways[0].addresses"),
        ({"routes": [{"targetCluster": {}, "gateway": {"name": ""}}]}, "routes[0].gateway.name"),
        (
            {"routes": [{"targetCluster": {}, "gateway": {"name": "a", "namespace": "B"}}]},
            "routes[0].gateway.namespace",
        ),
        (
            {"gateways": [{"cluster": "eu-1", "addresses": ["203.0.113.7"]}]},
            "gateways[0].addresses[0]",
        ),
        (
            {"gateways": [{"cluster": "eu-1", "addresses": ["2001:db8::7:443"]}]},
            "gateways[0].addresses[0]",
        ),
        (
            {"gateways": [{"cluster": "a", "addresses": ["b:1"]}] * 2},
            "gateways[1].cluster",
        ),
    ],
)
def test_what_contradicts_itself_is_refused_at_its_field(spec: dict[str, Any], path: str) -> None:
    assert faults(**spec) == [path]


def test_the_columns_show_who_gets_how_much() -> None:
    clusters = [{"name": "us-1", "share": 3}, {"name": "eu-1", "share": 9_997}, {"name": "x"}]
    shown = {"status": {"splits": [{"clusters": clusters}], "shift": {"percentage": 5}}}
    cells = {one.name: one.cell(shown, NOW) for one in TRAFFIC_COLUMNS if one.cell is not None}

    assert cells["Split"] == "eu-1:100%,us-1:<0.1%"
    assert cells["Shift"] == "Progressing 5%"
    assert cells["Routed"] == "Unknown"
