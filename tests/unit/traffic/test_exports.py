"""Which export wins, and what is told of conflicts: the same in whatever order exports come."""

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.traffic.core.catalogue import ServicePort
from services.traffic.core.exports import (
    Export,
    HubExport,
    Settled,
    exports_of,
    judge_export,
    settle,
)
from shared.events.exports import ExportReport, PortReport, ServiceFace, ServiceReport

HTTP = PortReport(name="http", port=80)


def export(cluster: str, since: str = "2026-01-01T00:00:00Z", **face: Any) -> Export:
    labels = face.pop("labels", {})
    face.setdefault("ports", (HTTP,))
    return Export(cluster=cluster, since=since, face=ServiceFace(**face), labels=labels)


def settled(*exports: Export) -> Settled:
    found = settle(exports)
    assert found is not None
    return found


def reasons(*exports: Export) -> list[str]:
    return [one.reason for one in settled(*exports).conflicts]


def test_the_oldest_wins_and_of_two_the_first_by_name() -> None:
    older, younger = export("z", "2026-01-01T00:00:00Z"), export("a", "2026-02-01T00:00:00Z")
    assert settled(younger, older).winner is older
    assert settled(export("b"), export("a")).winner.cluster == "a"
    assert settle([]) is None


def test_exports_that_agree_have_no_conflict() -> None:
    assert reasons(export("a"), export("b"), export("c")) == []


@pytest.mark.parametrize(
    ("reason", "face"),
    [
        ("TypeConflict", {"headless": True}),
        ("SessionAffinityConflict", {"session_affinity": "ClientIP"}),
        ("LabelsConflict", {"labels": {"a": "b"}}),
        ("InternalTrafficPolicyConflict", {"internal_traffic_policy": "Local"}),
        ("TrafficDistributionConflict", {"traffic_distribution": "PreferClose"}),
        ("IPFamilyConflict", {"ip_families": ("IPv6",)}),
        ("PortConflict", {"ports": (HTTP, PortReport(name="more", port=81))}),
    ],
)
def test_every_property_in_which_exports_differ_is_told(reason: str, face: Any) -> None:
    assert reasons(export("a"), export("b", **face)) == [reason]


def test_how_long_clients_stay_is_compared_where_they_stay_at_all() -> None:
    stays = {"session_affinity": "ClientIP"}
    short = {**stays, "session_affinity_seconds": 5}
    assert reasons(export("a", **stays), export("b", **short)) == ["SessionAffinityConfigConflict"]
    assert reasons(export("a"), export("b", session_affinity_seconds=5)) == []
    # What is not said is three hours, as Kubernetes fills it in.
    said = {**stays, "session_affinity_seconds": 10_800}
    assert reasons(export("a", **stays), export("b", **said)) == []


def test_ports_that_differ_in_nothing_but_order_agree() -> None:
    more = PortReport(name="more", port=81)
    assert reasons(export("a", ports=(HTTP, more)), export("b", ports=(more, HTTP))) == []


def test_a_younger_port_of_the_same_name_or_number_is_not_served() -> None:
    moved, renamed = PortReport(name="http", port=81), PortReport(name="web", port=80)
    found = settled(export("a"), export("b", ports=(moved,)), export("c", ports=(renamed,)))
    assert found.ports == (ServicePort(name="http", port=80),)
    assert (found.accepted["b"], found.accepted["c"]) == ((), ())
    [conflict] = found.conflicts
    assert "b has http 81/TCP, which a, the older export, has as http 80/TCP" in conflict.message


PORTS = st.builds(
    PortReport,
    port=st.integers(80, 82),
    name=st.sampled_from(["http", "admin", "x"]),
    protocol=st.sampled_from(["TCP", "UDP"]),
)
EXPORTS = st.builds(
    lambda since, headless, ports, labels, families: {
        "since": f"2026-01-0{since}T00:00:00Z",
        "headless": headless,
        "ports": tuple({(one.name, one.protocol): one for one in ports}.values()),
        "labels": labels,
        "ip_families": families,
    },
    st.integers(1, 3),
    st.booleans(),
    st.lists(PORTS, min_size=1, max_size=3),
    st.dictionaries(st.sampled_from("ab"), st.sampled_from("xy"), max_size=2),
    st.sampled_from([(), ("IPv4",), ("IPv4", "IPv6")]),
)


@given(st.lists(EXPORTS, min_size=1, max_size=4))
@settings(max_examples=30, deadline=None)
def test_the_outcome_does_not_depend_on_the_order_in_which_exports_are_heard(
    found: list[dict[str, Any]],
) -> None:
    exports = [export(f"c{number}", **dict(one)) for number, one in enumerate(found)]
    outcomes = {repr(settle(order)) for order in itertools.permutations(exports)}
    assert len(outcomes) == 1


@given(st.lists(EXPORTS, min_size=1, max_size=4))
@settings(max_examples=30, deadline=None)
def test_no_two_ports_clash_and_the_winner_keeps_all_of_its_own(
    found: list[dict[str, Any]],
) -> None:
    exports = [export(f"c{number}", **dict(one)) for number, one in enumerate(found)]
    outcome = settled(*exports)
    names = [port.name for port in outcome.ports]
    numbers = [(port.port, port.protocol) for port in outcome.ports]
    assert len(set(names)) == len(names)
    assert len(set(numbers)) == len(numbers)
    for one in exports:
        assert set(outcome.accepted[one.cluster]) <= set(outcome.ports)
    # Its own ports clash with nobody older; with each other they may, by number.
    first = outcome.winner.ports[0]
    assert first in outcome.accepted[outcome.winner.cluster]


OWN = ExportReport(uid="u", since="2026-03-01T00:00:00Z", labels={"own": "yes"})
HUB = HubExport(since="2026-02-01T00:00:00Z", labels={"hub": "yes"})
FACE = ServiceFace(ports=(HTTP,))


def test_a_members_own_export_counts_before_the_hubs() -> None:
    reports = {
        "a": ServiceReport(export=OWN, service=FACE),
        "b": ServiceReport(service=FACE),
        "c": ServiceReport(ips=("10.96.0.1",)),
    }
    assert [(one.cluster, one.labels) for one in exports_of(reports, HUB)] == [
        ("b", {"hub": "yes"}),
        ("a", {"own": "yes"}),
    ]
    assert [one.cluster for one in exports_of(reports, None)] == ["a"]


def test_without_a_service_or_with_one_of_another_kind_an_export_is_not_valid() -> None:
    assert judge_export(ServiceReport(export=OWN), None).reason == "NoService"
    external = ServiceReport(export=OWN, service=ServiceFace(type="ExternalName"))
    assert judge_export(external, None).reason == "InvalidServiceType"
    assert exports_of({"a": external, "b": ServiceReport(export=OWN)}, None) == []
    assert judge_export(ServiceReport(export=OWN, service=FACE), None).is_valid


def test_what_was_left_out_of_a_report_is_said_of_the_export() -> None:
    said = ServiceReport(service=ServiceFace(ports=(HTTP,)), left_out=("ports that are none (2)",))
    found = judge_export(said, None)
    assert found.is_valid
    assert found.message == "the Service can be exported, without ports that are none (2)"


def test_a_thousand_ports_of_many_exports_are_settled_by_their_names_and_numbers() -> None:
    """Each is compared with its rivals alone, of which there are two at most."""
    ports = tuple(PortReport(name=f"p{number}", port=1 + number) for number in range(1_000))
    moved = tuple(PortReport(name=f"p{number}", port=2 + number) for number in range(1_000))
    found = settled(export("a", ports=ports), export("b", ports=moved), export("c", ports=ports))
    assert len(found.ports) == 1_000
    assert [len(found.accepted[name]) for name in "abc"] == [1_000, 0, 1_000]
    [conflict] = found.conflicts
    assert conflict.message.count("the older export") == 20


def test_what_no_object_may_bear_is_left_out_of_imports_and_named() -> None:
    hub = HubExport(
        since=HUB.since,
        labels={"team": "blue", "bad key!": "x", "a": "no value!", "hanse.dev/managed": "no"},
        annotations={
            "note": "any text!",
            "no key!": "x",
            "multicluster.kubernetes.io/derived-service": "mine",
        },
    )
    report = ServiceReport(service=FACE)
    [found] = exports_of({"b": report}, hub)
    assert (found.labels, found.annotations) == ({"team": "blue"}, {"note": "any text!"})
    found_valid = judge_export(report, hub)
    assert found_valid.is_valid
    assert found_valid.message == (
        "the Service can be exported, but no import can bear label 'a', label 'bad key!', label"
        " 'hanse.dev/managed', annotation 'multicluster.kubernetes.io/derived-service', annotation"
        " 'no key!'"
    )
    large = HubExport(since=HUB.since, annotations={"a": "x" * 200_000, "b": "y"})
    assert exports_of({"b": report}, large)[0].annotations == {}
