"""From a policy and what is known to its status."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from services.traffic.core.catalogue import (
    Endpoint,
    EndpointPort,
    Exporter,
    ImportedService,
    ServiceName,
    ServicePort,
)
from services.traffic.core.deciding import Decision, Situation, Told, decide
from services.traffic.core.plans import authority, plan_of
from services.traffic.core.terms import Fleet
from shared.api.cluster import Cluster
from shared.api.cluster_group import ClusterGroup
from shared.api.meta import read
from shared.api.traffic_policy import TrafficPolicy, TrafficStatus

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def cluster(name: str, **spec: Any) -> Cluster:
    spec.setdefault("region", name[:2])
    return read({"metadata": {"name": name}, "spec": spec}, Cluster)


def exporter(name: str, ready: int, *, unready: int = 0, **fields: Any) -> Exporter:
    port = EndpointPort(name="http", port=8080)
    endpoints = tuple(
        Endpoint(cluster=name, addresses=(f"10.0.0.{number}",), ports=(port,), ready=number < ready)
        for number in range(ready + unready)
    )
    return Exporter(cluster=name, region=name[:2], endpoints=endpoints, **fields)


def service(*exporters: Exporter) -> ImportedService:
    return ImportedService(
        service=ServiceName("shop", "shop"),
        ports=(ServicePort(name="http", port=80), ServicePort(name="admin", port=81)),
        exporters={one.cluster: one for one in exporters},
    )


def policy(**spec: Any) -> TrafficPolicy:
    metadata = {"name": "shop", "namespace": "shop", "generation": 3}
    return read({"metadata": metadata, "spec": {"service": "shop", **spec}}, TrafficPolicy)


def fleet(*clusters: Cluster, groups: tuple[ClusterGroup, ...] = ()) -> Fleet:
    return Fleet.of(clusters or [cluster("eu-1"), cluster("us-1")], groups)


def decided(rules: TrafficPolicy, **fields: Any) -> Decision:
    fields = {
        "service": service(exporter("eu-1", 1), exporter("us-1", 1)),
        "fleet": fleet(),
        "wanted": {},
        "demand": {},
        "told": Told(),
        "now": NOW,
        "watched_since": NOW - timedelta(days=1),
        **fields,
    }
    return decide(Situation(policy=rules, **fields))


def conditions(status: TrafficStatus) -> dict[str, tuple[str, str]]:
    return {one.type: (one.status, one.reason) for one in status.conditions}


def shares(status: TrafficStatus, region: str = "") -> dict[str, float]:
    (split,) = [one for one in status.splits if one.region == region]
    return {one.name: one.share / 100 for one in split.clusters if one.share}


def messages(status: TrafficStatus) -> dict[str, str]:
    return {one.type: one.message for one in status.conditions if one.message}


def test_regions_and_groups_weigh_as_clusters_do() -> None:
    gold = read({"metadata": {"name": "gold"}, "spec": {"clusterNames": ["us-1"]}}, ClusterGroup)
    europe = {"matchExpressions": [{"key": "region", "operator": "In", "values": ["eu"]}]}
    rules = policy(
        weights=[
            {"targetCluster": {"fieldSelector": europe}, "weight": 1},
            {"targetCluster": {"clusterGroups": ["gold"]}, "weight": 3},
        ]
    )
    found = decided(rules, fleet=fleet(cluster("eu-1"), cluster("us-1"), groups=(gold,)))
    assert shares(found.status) == {"eu-1": 25, "us-1": 75}
    assert conditions(found.status) == {
        "Routed": ("True", "Routed"),
        "ClustersKnown": ("True", "Known"),
    }
    assert found.status.observed_generation == 3


def test_names_that_there_are_not_are_told() -> None:
    rules = policy(
        weights=[{"targetCluster": {"clusterNames": ["eu-1", "eu-9"]}, "weight": 1}],
        failover={"order": [{"clusterGroups": ["gold"]}, {"exclude": ["xx-1"]}]},
        gateways=[{"cluster": "ap-1", "addresses": ["a.example.com:1"]}],
    )
    status = decided(rules).status
    assert conditions(status)["ClustersKnown"] == ("False", "Unknown")
    assert messages(status)["ClustersKnown"] == (
        "there is no cluster ap-1, no cluster eu-9, no cluster xx-1, no group gold"
    )


def test_where_there_is_nobody_it_says_why() -> None:
    assert conditions(decided(policy(), service=None).status)["Routed"] == ("False", "NotExported")
    away = service(exporter("eu-1", 1, reachable=False), exporter("us-1", 0, unready=2))
    status = decided(policy(), service=away).status
    assert conditions(status)["Routed"] == ("False", "NoEndpoints")
    assert messages(status)["Routed"] == (
        "eu-1: it is not reachable, by health's verdict; us-1: no endpoint is ready there"
    )
    rival = decided(policy(), rival="first").status
    assert conditions(rival)["Routed"] == ("False", "AnotherPolicy")
    assert rival.splits == ()


def test_who_does_not_serve_the_port_gets_none_of_its_traffic() -> None:
    both = exporter("us-1", 1)
    ports = (*both.endpoints[0].ports, EndpointPort(name="admin", port=8081))
    full = replace(both, endpoints=(replace(both.endpoints[0], ports=ports),))
    services = service(exporter("eu-1", 3), full)
    assert shares(decided(policy(port=80), service=services).status) == {"eu-1": 75, "us-1": 25}
    status = decided(policy(port=81, locality={}), service=services).status
    assert shares(status) == shares(status, "eu") == {"us-1": 100}
    assert [one.message for one in status.splits[0].clusters if not one.share] == [
        "no endpoint there serves port 81"
    ]
    # Nobody has it at all; but what stands before the pods may.
    assert conditions(decided(policy(port=82), service=services).status)["Routed"] == (
        "False",
        "NoEndpoints",
    )
    gateways = [{"cluster": "eu-1", "addresses": ["a.example.com:82"]}]
    status = decided(policy(port=82, gateways=gateways), service=services).status
    assert shares(status) == {"eu-1": 100}


def test_splits_by_region_are_for_those_that_ask_for_locality() -> None:
    assert [one.region for one in decided(policy()).status.splits] == [""]
    near = decided(policy(locality={})).status
    assert [one.region for one in near.splits] == ["", "eu", "us"]
    # Who is only too far is not told of, region by region.
    assert [one.name for one in near.splits[1].clusters] == ["eu-1"]
    assert shares(near, "eu") == {"eu-1": 100}


def test_replicas_that_are_wanted_count_though_no_endpoint_tells_of_them() -> None:
    rules = policy(locality={"minReadyPercent": 100})
    status = decided(rules, wanted={"eu-1": 4}).status
    assert shares(status, "eu") == {"eu-1": 25, "us-1": 75}


def test_a_failover_group_gives_way_and_returns_by_the_clock() -> None:
    rules = policy(failover={"order": [{"clusterNames": ["eu-1"]}], "returnAfter": "60s"})
    first = decided(rules).status
    assert shares(first) == {"eu-1": 100}
    lost = service(exporter("eu-1", 0), exporter("us-1", 1))
    rules = msgspec.structs.replace(rules, status=first)
    gone = decided(rules, service=lost).status
    assert shares(gone) == {"us-1": 100}

    rules = msgspec.structs.replace(rules, status=gone)
    back = decided(rules)
    assert shares(back.status) == {"us-1": 100}
    assert back.wake_after == timedelta(seconds=60)
    rules = msgspec.structs.replace(rules, status=back.status)
    assert shares(decided(rules, now=NOW + timedelta(seconds=60)).status) == {"eu-1": 100}


def test_a_shift_goes_by_what_is_told_of_its_clusters_alone() -> None:
    shift = {
        "to": {"clusterNames": ["us-1"]},
        "steps": [{"percentage": 10, "duration": "1m"}, {"percentage": 100}],
    }
    first = decided(policy(shift=shift)).status
    assert shares(first) == {"eu-1": 90, "us-1": 10}
    assert conditions(first)["Shifted"] == ("False", "Progressing")

    rules = msgspec.structs.replace(policy(shift=shift), status=first)
    elsewhere = Told(requests={"eu-1": 99, "us-1": 50}, errors={"eu-1": 99})
    assert shares(decided(rules, told=elsewhere).status) == {"eu-1": 90, "us-1": 10}
    failing = Told(requests={"eu-1": 99, "us-1": 50}, errors={"us-1": 5})
    retreated = decided(rules, told=failing).status
    assert shares(retreated) == {"eu-1": 100}
    assert conditions(retreated)["Shifted"] == ("False", "Retreated")
    # Nobody exports it for a while: how far it had come is not forgotten.
    gone = decided(rules, service=None).status
    assert gone.shift == first.shift
    # The shift is taken out of the policy.
    done = msgspec.structs.replace(policy(), status=retreated)
    assert "Shifted" not in conditions(decided(done).status)


def test_clusters_that_are_to_be_empty_get_no_traffic() -> None:
    window = {"start": "2025-12-31T23:00:00Z", "end": "2026-01-01T01:00:00Z", "evict": True}
    draining = {"key": "cluster.hanse.dev/draining", "effect": "NoSchedule"}
    for spec, why in (
        ({"leaving": "Move"}, "it is leaving the federation"),
        ({"taints": [draining]}, "it is being drained"),
        (
            {"maintenanceWindows": [window]},
            "its taint cluster.hanse.dev/maintenance:NoExecute has everything leave",
        ),
    ):
        status = decided(policy(), fleet=fleet(cluster("eu-1", **spec), cluster("us-1"))).status
        assert shares(status) == {"us-1": 100}
        assert status.splits[0].clusters[0].message == why
    # A window in which only nothing new comes, and a cordon, leave the traffic where it is.
    for spec in (
        {"maintenanceWindows": [{**window, "evict": False}]},
        {"taints": [{"key": "cordoned", "effect": "NoSchedule"}]},
    ):
        status = decided(policy(), fleet=fleet(cluster("eu-1", **spec), cluster("us-1"))).status
        assert shares(status) == {"eu-1": 50, "us-1": 50}


def test_a_plan_has_all_that_it_takes_to_carry_the_traffic() -> None:
    rules = policy(
        port=80,
        hosts=["shop.example.com"],
        gateways=[{"cluster": "us-1", "addresses": ["[2001:db8::7]:443", "lb.example.com:443"]}],
    )
    known = replace(
        service(exporter("eu-1", 2, unready=1), exporter("us-1", 3)), session_affinity="ClientIP"
    )
    rules = msgspec.structs.replace(rules, status=decided(rules).status)
    plan = plan_of(rules, known)

    assert (plan.port, plan.port_name, plan.protocol) == (80, "http", "HTTP")
    assert plan.session_affinity == "ClientIP"
    assert [(one.cluster, authority(one.host, one.port)) for one in plan.backends] == [
        ("eu-1", "10.0.0.0:8080"),
        ("eu-1", "10.0.0.1:8080"),
        ("us-1", "[2001:db8::7]:443"),
        ("us-1", "lb.example.com:443"),
    ]
    assert plan.shares_from("anywhere") == {"eu-1": 5_000, "us-1": 5_000}
    # The endpoints do not serve that port, and there is none such.
    assert plan_of(policy(port=81), known).backends == ()
    assert plan_of(policy(port=99), known).port == 99
    assert plan_of(policy(), None).backends == ()


def test_regions_are_near_by_what_health_measured() -> None:
    far, near = (
        read(
            {
                "metadata": {"name": name},
                "spec": {"region": name[:2]},
                "status": {"latencies": [{"region": "us", "milliseconds": milliseconds}]},
            },
            Cluster,
        )
        for name, milliseconds in (("ap-1", 180), ("eu-1", 80))
    )
    known = service(exporter("us-1", 0, unready=1), exporter("ap-1", 1), exporter("eu-1", 1))
    status = decided(
        policy(locality={}), service=known, fleet=fleet(far, near, cluster("us-1"))
    ).status
    assert shares(status, "us") == {"eu-1": 100}


def test_a_shift_waits_for_its_turn_in_the_failover_order() -> None:
    rules = policy(
        failover={"order": [{"clusterNames": ["eu-1"]}]},
        shift={"to": {"clusterNames": ["us-1"]}, "steps": [{"percentage": 50}]},
    )
    status = decided(rules).status
    assert shares(status) == {"eu-1": 100}
    assert messages(status)["Shifted"].startswith("waits until the failover order")


def test_whether_it_is_carried_as_decided_is_told_where_anybody_knows() -> None:
    silent = decided(policy())
    assert "Carried" not in conditions(silent.status)
    well = decided(policy(), amiss=[])
    assert conditions(well.status)["Carried"] == ("True", "Carried")

    amiss = [("PortTaken", "lb: its port is taken"), *(("Refused", f"m{n}") for n in range(6))]
    hindered = decided(policy(), amiss=amiss).status
    assert conditions(hindered)["Carried"] == ("False", "PortTaken")
    message = next(one.message for one in hindered.conditions if one.type == "Carried")
    assert message == "lb: its port is taken; m0; m1; m2; m3 and 2 more"
    # Who has yet to look contradicts nobody; that nobody carries it any more ends it.
    before = msgspec.structs.replace(policy(), status=hindered)
    assert conditions(decided(before, unheard=True).status)["Carried"] == ("False", "PortTaken")
    assert "Carried" not in conditions(decided(before).status)


def test_it_looks_again_when_a_maintenance_window_begins_and_ends() -> None:
    window = {"start": "2026-01-01T01:00:00Z", "end": "2026-01-01T03:00:00Z", "evict": True}
    members = fleet(cluster("eu-1", maintenanceWindows=[window]), cluster("us-1"))
    before = decided(policy(), fleet=members)
    assert (before.wake_after, shares(before.status)) == (
        timedelta(hours=1),
        {"eu-1": 50, "us-1": 50},
    )
    within = decided(policy(), fleet=members, now=NOW + timedelta(hours=2))
    assert (within.wake_after, shares(within.status)) == (timedelta(hours=1), {"us-1": 100})
    after = decided(policy(), fleet=members, now=NOW + timedelta(hours=3))
    assert (after.wake_after, shares(after.status)) == (None, {"eu-1": 50, "us-1": 50})
    # Of one that does not export the service it means nothing.
    alone = decided(policy(), fleet=members, service=service(exporter("us-1", 1)))
    assert alone.wake_after is None


def test_replicas_with_addresses_of_both_families_are_neither_ready_nor_wanted_twice() -> None:
    one = exporter("eu-1", 1, unready=1)
    six = tuple(replace(each, address_type="IPv6") for each in one.endpoints)
    both = replace(one, endpoints=one.endpoints + six)
    found = decided(policy(), service=service(both, exporter("us-1", 1)), wanted={"eu-1": 2})
    [split] = found.status.splits
    told = {each.name: (each.share, each.ready, each.wanted) for each in split.clusters}
    assert told == {"eu-1": (5_000, 1, 2), "us-1": (5_000, 1, 1)}
