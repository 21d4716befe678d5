"""What other systems read of traffic stays as it is written here."""

import json
from pathlib import Path

import msgspec
import pytest

from shared.errors import MalformedEvent
from shared.events.traffic import (
    TYPE,
    ClusterCount,
    PlanBackend,
    PlanShare,
    PlanSplit,
    SplitChanged,
    TrafficFeed,
    TrafficPlan,
    TrafficWord,
    decode_split_changed,
    decode_word,
    encode_traffic,
    parse_word_key,
    word_key,
)

EVENTS = Path(__file__).parent / "events"
HALVES = PlanSplit(
    region="",
    shares=(PlanShare(cluster="eu-1", share=5_000), PlanShare(cluster="us-1", share=5_000)),
)
FACT = SplitChanged(
    namespace="shop",
    policy="web",
    service="web",
    uid="u",
    before=(PlanSplit(region="", shares=(PlanShare(cluster="eu-1", share=10_000),)),),
    after=(HALVES,),
    reasons={"eu-1": "Shared", "us-1": "Shared"},
    shift="step 2 of 3: 50%",
    occurred_at="2026-03-01T12:00:00.000000Z",
)
WORD = TrafficWord(
    namespace="shop",
    policy="web.v2",
    front="lb-1",
    region="eu",
    epoch="2026-03-01T12:00:00.000000Z",
    rate=12.5,
    counts=(ClusterCount(cluster="eu-1", requests=10, errors=1),),
)
PLAN = TrafficPlan(
    namespace="shop",
    policy="web",
    service="web",
    port=80,
    port_name="http",
    protocol="HTTP",
    hosts=("shop.example.com",),
    splits=(HALVES,),
    backends=(PlanBackend(cluster="eu-1", host="10.0.0.1", port=8080, region="eu", zone="eu-a"),),
)


def golden(name: str) -> dict[str, object]:
    found: dict[str, object] = json.loads((EVENTS / f"{name}.json").read_text())
    return found


def test_the_fact_and_the_word_are_written_as_the_goldens_say() -> None:
    assert json.loads(encode_traffic(FACT)) == golden(TYPE)
    assert json.loads(encode_traffic(WORD)) == golden("traffic.word.v1")


def test_the_feed_is_written_as_the_golden_says() -> None:
    feed = TrafficFeed(plans=(PLAN,))
    assert json.loads(msgspec.json.encode(feed)) == golden("traffic.feed.v1")


def test_they_are_read_back_though_a_newer_sender_said_more() -> None:
    assert decode_split_changed(json.dumps({**golden(TYPE), "more": 1}).encode()) == FACT
    assert decode_word(json.dumps({**golden("traffic.word.v1"), "more": 1}).encode()) == WORD


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"type": "traffic.split-changed.v2"}'])
def test_anything_else_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedEvent):
        decode_split_changed(body)
    with pytest.raises(MalformedEvent):
        decode_word(body)


def test_a_word_lies_under_who_says_it_of_what() -> None:
    assert word_key(WORD) == "shop.web=2Ev2.lb-1"
    assert parse_word_key(word_key(WORD)) == ("shop", "web.v2", "lb-1")
    with pytest.raises(ValueError, match="unpack"):
        parse_word_key("shop.web")


def test_shares_of_a_region_that_is_not_told_are_those_of_anywhere() -> None:
    assert PLAN.shares_from("eu") == {"eu-1": 5_000, "us-1": 5_000}
    assert TrafficPlan(namespace="a", policy="a", service="a").shares_from("") == {}
