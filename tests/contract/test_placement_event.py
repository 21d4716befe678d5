"""What other systems read of a decision stays as it is written here."""

import json
from pathlib import Path

import pytest

from shared.errors import MalformedEvent
from shared.events.placement import (
    ClusterRejected,
    PlacedShare,
    PlacementDecided,
    PlacementStalled,
    RejectedGroup,
    ScorePart,
    decode_placement,
    encode_placement,
    encode_stalled,
)

GOLDEN = Path(__file__).parent / "events" / "placement.decided.v1.json"

DECIDED = PlacementDecided(
    api_version="apps/v1",
    kind="Deployment",
    namespace="shop",
    name="web",
    uid="6a0e2f6c-3f52-4d0e-9d58-2a2c0d6f9a10",
    template_generation=4,
    binding_uid="0b7a3a1e-8c0b-5f1c-9f2f-6f7b1f0c2d3e",
    binding_generation=7,
    binding="web-deployment",
    policy="shop/by-weight",
    scheduled=True,
    reason="Success",
    message="placed in us-1 (4); leaving eu-1 (TaintToleration); not in ap-1: it is not ready",
    replicas=4,
    clusters=(PlacedShare(cluster="us-1", replicas=4),),
    leaving=(PlacedShare(cluster="eu-1", replicas=2),),
    rejected=(ClusterRejected(cluster="ap-1", code="NotReady", message="it is not ready"),),
    occurred_at="2026-03-01T12:00:00.000000Z",
    policy_generation=3,
    trigger="ClusterChanged",
    trigger_message="eu-1: its taint lost:NoExecute is not tolerated",
    affinity="near",
    passed_over={"own": "none of 3 clusters fits"},
    reasons=(
        RejectedGroup(code="NotReady", message="it is not ready", count=1, clusters=("ap-1",)),
    ),
    scores={"us-1": 51},
    revision=1234,
    score_parts={
        "us-1": (
            ScorePart(name="price", points=100, weight=40, value=0.036),
            ScorePart(name="fitness", points=50, weight=10, expired=True),
        )
    },
    unheard={"gravity": "no answer within 500 ms"},
    notes=("at most 4 in us-1: quota shop/team leaves no room for more",),
)


def test_the_fact_is_written_as_the_golden_says():
    assert json.loads(encode_placement(DECIDED)) == json.loads(GOLDEN.read_text())


def test_the_golden_is_read_back():
    assert decode_placement(GOLDEN.read_bytes()) == DECIDED


def test_a_field_from_a_newer_sender_is_passed_over():
    newer = {**json.loads(GOLDEN.read_text()), "costs": {"us-1": 3}}
    assert decode_placement(json.dumps(newer).encode()) == DECIDED


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b'{"type": "placement.decided.v2"}'])
def test_what_is_no_such_fact_is_malformed(body):
    with pytest.raises(MalformedEvent):
        decode_placement(body)


def test_a_fault_is_told_as_the_golden_says():
    golden = GOLDEN.with_name("placement.stalled.v1.json")
    fact = PlacementStalled(
        resource="deployments.apps",
        namespace="shop",
        name="web",
        template_uid="6a0e2f6c-3f52-4d0e-9d58-2a2c0d6f9a10",
        template_generation=4,
        message="a fault of the scheduler (KeyError) keeps it from being decided",
        occurred_at="2026-03-01T12:00:00.000000Z",
    )
    assert json.loads(encode_stalled(fact)) == json.loads(golden.read_text())
