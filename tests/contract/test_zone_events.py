"""The fact about a global zone as it crosses NATS."""

import json
from pathlib import Path

import pytest

from shared.errors import MalformedEvent
from shared.events.zones import (
    TYPE,
    ZoneChanged,
    ZoneWord,
    decode_zone_changed,
    encode_zone_changed,
)

GOLDEN = json.loads((Path(__file__).parent / "events" / f"{TYPE}.json").read_text())
FACT = ZoneChanged(
    zone="world",
    domain="global.example.com",
    uid="u",
    names=3,
    conditions=(
        ZoneWord(
            type="NamesResolve",
            status="False",
            reason="HostsAmiss",
            message="shop.global.example.com: nobody",
        ),
    ),
    occurred_at="2026-03-01T12:00:00.000000Z",
)


def test_the_fact_is_written_as_the_golden_says() -> None:
    assert json.loads(encode_zone_changed(FACT)) == GOLDEN


def test_it_is_read_back_though_a_newer_sender_said_more() -> None:
    assert decode_zone_changed(json.dumps({**GOLDEN, "more": 1}).encode()) == FACT


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"type": "zone.changed.v2"}'])
def test_anything_else_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedEvent):
        decode_zone_changed(body)
