"""What other systems read of members and of answered commands stays as it is written here."""

import json
from pathlib import Path

import msgspec
import pytest

from shared.api.cluster import Capacity, NodeClass
from shared.errors import MalformedEvent
from shared.events.cluster import (
    ClusterBecameNotReady,
    ClusterBecameUnreachable,
    ClusterCredentialsExpiring,
    ClusterFailoverHeld,
    ClusterFenced,
    ClusterJoined,
    ClusterLeft,
    ClusterRecovered,
    ClusterRefusedCredentials,
    ClusterSuspected,
    ClusterTainted,
    Observation,
    ObserverWord,
    Reach,
    decode_observation,
    encode_event,
    fact_type,
)
from shared.events.commands import (
    CommandCompleted,
    CommandRefused,
    CommandResult,
    answer_type,
    encode_answer,
)
from shared.events.heartbeat import Heartbeat, decode_heartbeat, encode_heartbeat

EVENTS = Path(__file__).parent / "events"
AT = "2026-03-01T12:00:00.000000Z"
PLACE = {"cluster": "eu-1", "occurred_at": AT, "region": "eu-central", "provider": "hansa"}
TOLD = {
    **PLACE,
    "message": "hub: no answer",
    "evidence": (
        ObserverWord(observer="hub", region="eu", reach=Reach.UNREACHABLE, message="no answer"),
    ),
}
ASKED = {
    "id": "0b7a3a1e",
    "source": "ops/release",
    "command": "dev.hanse.commands.scale.v1",
    "occurred_at": AT,
}
DEPLOYMENT = {"api_version": "apps/v1", "kind": "Deployment", "namespace": "shop", "name": "web"}

OBSERVED = Observation(
    cluster="eu-1",
    observer="hub",
    reach=Reach.SUSPECT,
    observed_time=AT,
    failures=1,
    message="no answer",
    latency_milliseconds=12,
    capacity=Capacity(
        nodes_total=1,
        nodes_ready=1,
        allocatable={"cpu": "4"},
        node_classes=(NodeClass(count=1, free={"cpu": "3"}),),
    ),
    region="eu",
)
FACTS = [
    ClusterJoined(**PLACE, id="6a0e2f6c-3f52-4d0e-9d58-2a2c0d6f9a10", kubernetes_version="v1.31.2"),
    ClusterLeft(**PLACE),
    ClusterSuspected(**TOLD),
    ClusterBecameNotReady(**TOLD),
    ClusterRefusedCredentials(**TOLD),
    ClusterBecameUnreachable(**TOLD),
    ClusterCredentialsExpiring(**TOLD, expires_at=AT),
    ClusterFailoverHeld(**TOLD, reason="EvictionRate"),
    ClusterTainted(**TOLD),
    ClusterFenced(**PLACE, term=3, silent_seconds=78.6),
    ClusterRecovered(**PLACE),
]
HEARTBEAT = Heartbeat(cluster="eu-1", term=3, held=True, duration_seconds=78.5, observed_time=AT)
ANSWERS = [
    CommandCompleted(**ASKED, results=(CommandResult(**DEPLOYMENT, outcome="scaled"),)),
    CommandRefused(
        **ASKED,
        reason="NotFound",
        message="not found",
        results=(
            CommandResult(
                **DEPLOYMENT, outcome="refused", code=404, reason="NotFound", message="not found"
            ),
        ),
    ),
]


def golden(name: str) -> bytes:
    return (EVENTS / f"{name}.json").read_bytes()


@pytest.mark.parametrize("fact", FACTS, ids=fact_type)
def test_facts_of_members_are_written_and_read_as_the_golden_says(fact):
    body = golden(fact_type(fact))
    assert json.loads(encode_event(fact)) == json.loads(body)
    assert msgspec.json.decode(body, type=type(fact)) == fact


@pytest.mark.parametrize("answer", ANSWERS, ids=answer_type)
def test_answers_to_commands_are_written_and_read_as_the_golden_says(answer):
    body = golden(answer_type(answer))
    assert json.loads(encode_answer(answer)) == json.loads(body)
    assert msgspec.json.decode(body, type=type(answer)) == answer


def test_an_observation_is_written_and_read_as_the_golden_says():
    body = golden("cluster.observed.v1")
    assert json.loads(encode_event(OBSERVED)) == json.loads(body)
    assert decode_observation(body) == OBSERVED


def test_a_heartbeat_is_written_and_read_as_the_golden_says():
    body = golden("cluster.heartbeat.v1")
    assert json.loads(encode_heartbeat(HEARTBEAT)) == json.loads(body)
    assert decode_heartbeat(body) == HEARTBEAT
    with pytest.raises(MalformedEvent):
        decode_heartbeat(b"{}")


def test_a_field_from_a_newer_observer_is_passed_over():
    newer = {**json.loads(golden("cluster.observed.v1")), "mood": "fine"}
    assert decode_observation(json.dumps(newer).encode()) == OBSERVED


@pytest.mark.parametrize("body", [b"", b"{}", b"\xff", b'{"type": "cluster.observed.v2"}'])
def test_what_is_no_observation_is_malformed(body):
    with pytest.raises(MalformedEvent):
        decode_observation(body)
