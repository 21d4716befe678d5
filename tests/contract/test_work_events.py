"""What crosses NATS about work, and what other systems read of it, stays as it is written here."""

import json
from pathlib import Path

import msgspec
import pytest

from shared.api.drift import DriftReport
from shared.api.ownership import DriftPath, DriftPolicy, OwnershipTerms, ReplicaOwnership
from shared.apimachinery.manifest import encode
from shared.events.drift import (
    DriftContested,
    DriftCorrected,
    DriftDetected,
    DriftedField,
    DriftSettled,
)
from shared.events.references import ReferenceMissed
from shared.events.work import (
    TOMBSTONE,
    WorkOrder,
    WorkReport,
    decode_order,
    decode_report,
    encode_order,
    encode_report,
)
from shared.events.work_facts import (
    OverrideFailed,
    WorkApplied,
    WorkRefused,
    WorkRemoved,
    WorkStrayed,
)

EVENTS = Path(__file__).parent / "events"
AT = "2026-03-01T12:00:00.000000Z"
OBJECT = {
    "cluster": "eu-1",
    "api_version": "apps/v1",
    "kind": "Deployment",
    "resource": "deployments",
    "namespace": "shop",
    "name": "web",
}
ORDERED = WorkOrder(
    api_version="apps/v1",
    kind="Deployment",
    resource="deployments",
    namespaced=True,
    namespace="shop",
    name="web",
    manifest=msgspec.Raw(encode({"apiVersion": "apps/v1", "spec": {"replicas": 2}})),
    digest="0123456789abcdef0123456789abcdef",
    template_uid="u",
    template_generation=3,
    since="2026-01-01T00:00:00.000000Z",
)
REPORTED = WorkReport(
    generation=42,
    template_uid="u",
    template_generation=3,
    applied=False,
    present=True,
    observed_time=AT,
    reason="Invalid",
    message="spec.replicas: must not be negative",
    health="Degraded",
    status={"replicas": 2},
    uid="m",
    resource_version="9",
    fields_digest="0011223344556677",
)
LENIENT = msgspec.structs.replace(
    ORDERED,
    terms=OwnershipTerms(
        replica_ownership=ReplicaOwnership(owner="Shared", min_replicas=2, max_replicas=9),
        drift=DriftPolicy(mode="Report", paths=(DriftPath(path="/metadata/labels"),)),
        adopted_resources_on_deletion="Delete",
    ),
)
FIELD = DriftedField(
    path=".spec.replicas",
    actor="kubectl-edit",
    operation="Update",
    time="2026-03-01T11:59:00Z",
    ordered="2",
    found="5",
)
DRIFT = DriftReport(state="Reported", since="2026-03-01T11:59:00Z", fields=(FIELD,), more=1)
DRIFTED = msgspec.structs.replace(REPORTED, replicas_owner="Member", drift=DRIFT)
DRIFT_FACT = {
    **OBJECT,
    "generation": 42,
    "change": "Edited",
    "fields": (FIELD,),
    "since": "2026-03-01T11:59:00Z",
    "occurred_at": AT,
}
FACTS = [
    WorkApplied(**OBJECT, generation=42, template_uid="u", template_generation=3, occurred_at=AT),
    WorkRefused(
        **OBJECT,
        generation=42,
        template_uid="u",
        template_generation=3,
        reason="Invalid",
        message="spec.replicas: must not be negative",
        occurred_at=AT,
    ),
    WorkRemoved(**OBJECT, generation=43, template_uid="u", preserved=True, occurred_at=AT),
    WorkStrayed(**OBJECT, generation=43, occurred_at=AT),
    DriftCorrected(**DRIFT_FACT),
    DriftDetected(**DRIFT_FACT),
    DriftContested(**DRIFT_FACT, corrections=5),
    DriftSettled(**DRIFT_FACT),
    ReferenceMissed(
        resource="deployments.apps",
        namespace="shop",
        name="web",
        template_uid="u",
        template_generation=3,
        missing=("ConfigMap shop/settings",),
        message="not at the hub: ConfigMap shop/settings",
        occurred_at=AT,
    ),
    OverrideFailed(
        cluster="eu-1",
        policy="near-registry",
        policy_namespace="shop",
        resource="deployments.apps",
        namespace="shop",
        name="web",
        template_generation=3,
        message="overrideRules[0]: nothing is at '/spec/none'",
        occurred_at=AT,
    ),
]


def golden(name: str) -> bytes:
    return (EVENTS / f"{name}.json").read_bytes()


def tag_of(fact: msgspec.Struct) -> str:
    return str(fact.__struct_config__.tag)


def test_an_order_is_written_and_read_as_the_golden_says():
    assert json.loads(encode_order(ORDERED)) == json.loads(golden("work.ordered.v1"))
    found = decode_order(golden("work.ordered.v1"))
    assert msgspec.json.decode(found.manifest) == msgspec.json.decode(ORDERED.manifest)
    assert not found.is_tombstone


def test_a_plain_order_does_not_speak_of_ownership():
    assert "terms" not in json.loads(golden("work.ordered.v1"))
    assert json.loads(encode_order(LENIENT)) == json.loads(golden("work.ordered.lenient.v1"))
    found = decode_order(golden("work.ordered.lenient.v1"))
    assert found.ownership == LENIENT.ownership


def test_an_order_for_what_is_fenced_names_the_term_and_a_report_on_it_the_question():
    fenced = msgspec.structs.replace(ORDERED, fence=7)
    assert json.loads(encode_order(fenced)) == json.loads(golden("work.ordered.fenced.v1"))
    assert decode_order(golden("work.ordered.fenced.v1")).fence == 7
    asked = msgspec.structs.replace(REPORTED, since=ORDERED.since)
    assert decode_report(encode_report(asked)).since == ORDERED.since
    assert "since" not in json.loads(golden("work.reported.v1"))


def test_a_report_of_drift_is_written_and_read_as_the_golden_says():
    assert json.loads(encode_report(DRIFTED)) == json.loads(golden("work.reported.drift.v1"))
    assert decode_report(golden("work.reported.drift.v1")) == DRIFTED


def test_a_tombstone_carries_null():
    body = encode_order(msgspec.structs.replace(ORDERED, manifest=TOMBSTONE))
    assert json.loads(body)["manifest"] is None
    assert decode_order(body).is_tombstone


def test_a_report_is_written_and_read_as_the_golden_says():
    assert json.loads(encode_report(REPORTED)) == json.loads(golden("work.reported.v1"))
    assert decode_report(golden("work.reported.v1")) == REPORTED


@pytest.mark.parametrize("fact", FACTS, ids=tag_of)
def test_a_fact_is_written_and_read_as_the_golden_says(fact):
    assert json.loads(msgspec.json.encode(fact)) == json.loads(golden(tag_of(fact)))
    assert msgspec.json.decode(golden(tag_of(fact)), type=type(fact)) == fact


@pytest.mark.parametrize("fact", FACTS, ids=tag_of)
def test_a_field_from_a_newer_sender_is_passed_over(fact):
    newer = {**json.loads(golden(tag_of(fact))), "later": 1}
    assert msgspec.json.decode(json.dumps(newer).encode(), type=type(fact)) == fact
