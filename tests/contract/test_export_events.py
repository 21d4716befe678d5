"""What crosses NATS about services of members stays as it is written here."""

import json
from pathlib import Path

import pytest

from shared.apimachinery.manifest import ObjectKey
from shared.errors import MalformedEvent
from shared.events import subjects
from shared.events.exports import (
    AnyReport,
    EndpointReport,
    ExportReport,
    NamespacesReport,
    PortReport,
    ServiceFace,
    ServiceReport,
    SliceReport,
    StatusNote,
    decode_namespaces,
    decode_note,
    decode_service,
    decode_slice,
    encode_export,
)
from shared.events.service_facts import (
    ServiceConflicted,
    ServiceExportRefused,
    ServiceFact,
    ServiceImported,
    ServiceWithdrawn,
    decode_service_fact,
    encode_service_fact,
    subject_of,
    type_of,
)

EVENTS = Path(__file__).parent / "events"
SERVICE = ServiceReport(
    export=ExportReport(
        uid="u-1", since="2026-03-01T12:00:00Z", generation=1, labels={"team": "shop"}
    ),
    service=ServiceFace(
        since="2026-02-01T12:00:00Z",
        ports=(PortReport(port=80, name="http"),),
        session_affinity="ClientIP",
        session_affinity_seconds=60,
        ip_families=("IPv4",),
        internal_traffic_policy="Cluster",
        traffic_distribution="PreferClose",
    ),
    ips=("10.96.0.9",),
)
SLICE = SliceReport(
    name="web-x1",
    ports=(PortReport(port=8080, name="http"),),
    endpoints=(
        EndpointReport(addresses=("10.1.0.1",), node_name="n1", zone="eu-a", for_zones=("eu-a",)),
        EndpointReport(addresses=("10.1.0.2",), ready=False, serving=False, terminating=True),
    ),
)
NAMESPACES = NamespacesReport(namespaces=("shop",))
NOTE = StatusNote(
    api_version="multicluster.x-k8s.io/v1beta1",
    kind="ServiceExport",
    resource="serviceexports",
    uid="u-1",
    status={"conditions": []},
)
FACTS: tuple[ServiceFact, ...] = (
    ServiceImported(
        namespace="shop",
        name="web",
        occurred_at="2026-03-01T12:00:00.000000Z",
        import_type="ClusterSetIP",
        clusters=("eu-1", "us-1"),
    ),
    ServiceWithdrawn(namespace="shop", name="web", occurred_at="2026-03-01T12:00:00.000000Z"),
    ServiceConflicted(
        namespace="shop",
        name="web",
        occurred_at="2026-03-01T12:00:00.000000Z",
        clusters=("eu-1", "us-1"),
        reasons=("PortConflict",),
        message="us-1 does not have http 80/TCP",
    ),
    ServiceExportRefused(
        namespace="shop",
        name="web",
        occurred_at="2026-03-01T12:00:00.000000Z",
        cluster="eu-1",
        reason="NoService",
        message="there is no Service of that name",
    ),
)
EACH = pytest.mark.parametrize(
    ("name", "report", "decode"),
    [
        ("service.reported.v1", SERVICE, decode_service),
        ("endpoint-slice.reported.v1", SLICE, decode_slice),
        ("namespaces.reported.v1", NAMESPACES, decode_namespaces),
        ("status.noted.v1", NOTE, decode_note),
    ],
    ids=["service", "slice", "namespaces", "note"],
)


@EACH
def test_it_is_written_as_the_golden_says_and_read_back(
    name: str, report: AnyReport, decode: object
) -> None:
    golden = json.loads((EVENTS / f"{name}.json").read_text())
    assert json.loads(encode_export(report)) == golden
    assert callable(decode)
    assert decode(json.dumps({**golden, "more": 1}).encode()) == report
    with pytest.raises(MalformedEvent):
        decode(b'{"type":3}')


def test_a_report_of_an_older_worker_has_its_slices_within() -> None:
    golden = json.loads((EVENTS / "service.reported.v1.json").read_text())
    slice_ = json.loads((EVENTS / "endpoint-slice.reported.v1.json").read_text())
    del slice_["type"]
    found = decode_service(json.dumps({**golden, "slices": [slice_]}).encode())
    assert found.slices == (SLICE,)


@pytest.mark.parametrize("fact", FACTS, ids=type_of)
def test_a_fact_is_written_as_the_golden_says_and_read_back(fact: ServiceFact) -> None:
    golden = json.loads((EVENTS / f"{type_of(fact)}.json").read_text())
    assert json.loads(encode_service_fact(fact)) == golden
    assert decode_service_fact(json.dumps({**golden, "more": 1}).encode()) == fact
    assert subject_of(fact).startswith("hanse.events.service.")


def test_subjects_are_read_back() -> None:
    assert subjects.parse_endpoints(subjects.endpoints("eu.1", "shop", "web")) == (
        "eu.1",
        ("shop", "web"),
        "",
    )
    assert subjects.parse_endpoints(subjects.slice_endpoints("eu.1", "shop", "web", "w.1")) == (
        "eu.1",
        ("shop", "web"),
        "w.1",
    )
    assert subjects.parse_endpoints(subjects.namespaces("eu.1")) == ("eu.1", None, "")
    key = ObjectKey("multicluster.x-k8s.io", "serviceexports", "shop", "web")
    assert subjects.parse_member_subject(subjects.export("eu.1", key)) == ("eu.1", key)
    with pytest.raises(ValueError, match="values to unpack"):
        subjects.parse_endpoints("hanse.endpoints.eu.a.b.c.d")
