"""What other systems read of a rollout stays as it is written here."""

import json
from pathlib import Path

import pytest

from shared.errors import MalformedEvent
from shared.events.rollout import (
    AnyRolloutFact,
    ApprovalRequested,
    RolloutCompleted,
    RolloutFailed,
    RolloutRolledBack,
    RolloutStarted,
    StageReleased,
    decode_rollout_fact,
    encode_rollout_fact,
    past_tense_of,
    type_of,
)

EVENTS = Path(__file__).parent / "events"
ABOUT = {
    "api_version": "apps/v1",
    "kind": "Deployment",
    "resource": "deployments",
    "namespace": "shop",
    "name": "web",
    "revision": 4,
    "attempt": 1,
    "occurred_at": "2026-03-01T12:00:00.000000Z",
}
FACTS: list[AnyRolloutFact] = [
    RolloutStarted(**ABOUT, complete_revision=3),
    StageReleased(**ABOUT, stage="canary", clusters=("eu-1",)),
    ApprovalRequested(**ABOUT, stage="rest"),
    RolloutFailed(**ABOUT, message="eu-1 (Degraded)", returning_to=3),
    RolloutRolledBack(**ABOUT, complete_revision=3),
    RolloutCompleted(**ABOUT),
]
EACH = pytest.mark.parametrize("fact", FACTS, ids=type_of)


@EACH
def test_the_fact_is_written_as_the_golden_says(fact: AnyRolloutFact) -> None:
    golden = json.loads((EVENTS / f"{type_of(fact)}.json").read_text())
    assert json.loads(encode_rollout_fact(fact)) == golden


@EACH
def test_the_golden_is_read_back_though_a_newer_sender_said_more(fact: AnyRolloutFact) -> None:
    golden = json.loads((EVENTS / f"{type_of(fact)}.json").read_text())
    assert decode_rollout_fact(json.dumps({**golden, "more": 1}).encode()) == fact


def test_the_subject_says_what_happened() -> None:
    assert [past_tense_of(fact) for fact in FACTS] == [
        "started",
        "stage-released",
        "approval-requested",
        "failed",
        "rolled-back",
        "completed",
    ]


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b'{"type": "rollout.started.v2"}'])
def test_what_is_no_such_fact_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedEvent):
        decode_rollout_fact(body)
