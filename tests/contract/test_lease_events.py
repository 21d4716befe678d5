"""What is said of leases stays as it is written here: on the board, and to other systems."""

import json
from pathlib import Path

import pytest

from shared.errors import MalformedEvent
from shared.events.lease import (
    LeaseAcquired,
    LeaseFact,
    LeaseLost,
    LeaseRecord,
    decode_lease_fact,
    decode_lease_record,
    encode_lease,
    type_of,
)

EVENTS = Path(__file__).parent / "events"
AT = "2026-03-01T12:00:00.000000Z"
FACTS: list[LeaseFact] = [
    LeaseAcquired(
        lease="scheduler",
        holder="hub-b-71-90af13",
        term=4,
        previous="hub-a-68-1c22d0",
        occurred_at=AT,
    ),
    LeaseLost(
        lease="scheduler",
        holder="hub-a-68-1c22d0",
        term=3,
        reason="NotRenewed",
        occurred_at=AT,
    ),
]
EACH = pytest.mark.parametrize("fact", FACTS, ids=type_of)


@EACH
def test_the_fact_is_written_as_the_golden_says(fact: LeaseFact) -> None:
    golden = json.loads((EVENTS / f"{type_of(fact)}.json").read_text())
    assert json.loads(encode_lease(fact)) == golden


@EACH
def test_the_golden_is_read_back_though_a_newer_sender_said_more(fact: LeaseFact) -> None:
    golden = json.loads((EVENTS / f"{type_of(fact)}.json").read_text())
    assert decode_lease_fact(json.dumps({**golden, "more": 1}).encode()) == fact


def test_a_record_is_read_by_replicas_of_another_version() -> None:
    written = b'{"holder":"hub-a-68-1c22d0","term":3,"duration_seconds":4.0}'
    record = LeaseRecord(holder="hub-a-68-1c22d0", term=3, duration_seconds=4.0)
    assert encode_lease(record) == written
    assert decode_lease_record(written[:-1] + b',"more":1}') == record


def test_nonsense_is_malformed() -> None:
    for decode in (decode_lease_record, decode_lease_fact):
        with pytest.raises(MalformedEvent):
            decode(b'{"holder":3}')
