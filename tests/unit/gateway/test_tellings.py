"""What facts say to those who look at an object."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from services.gateway.core.event_objects import Told, event_key, event_manifest, message_of
from services.gateway.core.tellings import About, Telling, completed, read_fact, tellings_of
from shared.events.placement import PlacementDecided
from shared.events.traffic import SplitChanged
from shared.events.work_facts import WorkApplied, WorkRefused, WorkStrayed

GOLDEN = Path(__file__).parents[2] / "contract" / "events"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
# Not facts about objects: what services say to each other, answers to commands, and who has a duty.
_SPEAK_OF_NO_OBJECT = (
    "cluster.observed",
    "cluster.heartbeat",
    "work.ordered",
    "work.reported",
    "command.",
    "lease.",
    "namespaces.reported",
    "service.reported",
    "endpoint-slice.reported",
    "status.noted",
    "traffic.feed",
    "traffic.word",
)
FACTS = sorted(
    path for path in GOLDEN.glob("*.json") if not path.name.startswith(_SPEAK_OF_NO_OBJECT)
)


def applied(cluster: str, generation: int = 3) -> WorkApplied:
    return WorkApplied(
        cluster=cluster,
        api_version="apps/v1",
        kind="Deployment",
        resource="deployments",
        namespace="shop",
        name="web",
        generation=42,
        template_uid="u",
        template_generation=generation,
    )


def told(*tellings: Telling) -> Told:
    found = Told.of(tellings[0], NOW)
    for one in tellings[1:]:
        assert event_key(one) == event_key(tellings[0])
        found = found.again(one.cluster, found.last + timedelta(seconds=1))
    return found


@pytest.mark.parametrize("path", FACTS, ids=lambda path: path.stem)
def test_every_fact_is_told_of_some_object(path: Path) -> None:
    fact = read_fact(path.read_bytes())
    assert fact is not None
    tellings = list(tellings_of(fact))
    assert tellings
    for one in tellings:
        assert one.reason
        assert one.message
        assert one.about.uid or one.about.key is not None


def test_what_is_no_fact_is_passed_over() -> None:
    assert read_fact(b'{"type": "cluster.exploded.v9"}') is None
    assert read_fact(b"not JSON") is None


def test_clusters_that_hold_the_same_generation_share_one_event() -> None:
    tellings = [one for name in ("eu-1", "us-1", "eu-1") for one in tellings_of(applied(name))]
    event = event_manifest(event_key(tellings[0]), told(*tellings))
    assert event["message"] == "generation 3 applied to eu-1, us-1"
    assert event["count"] == 3
    assert event["series"]["count"] == 3
    assert event["involvedObject"]["uid"] == "u"
    assert (event["firstTimestamp"], event["lastTimestamp"]) == (
        "2026-03-01T12:00:00Z",
        "2026-03-01T12:00:02Z",
    )


def test_another_generation_is_another_event() -> None:
    (third,), (fourth,) = tellings_of(applied("eu-1")), tellings_of(applied("eu-1", 4))
    assert event_key(third) != event_key(fourth)


def test_a_hundred_clusters_make_a_short_message() -> None:
    tellings = [one for number in range(100) for one in tellings_of(applied(f"c{number:02}"))]
    assert message_of(told(*tellings)).endswith("c07 and 92 more")


def test_an_object_in_the_way_is_a_conflict_and_anything_else_a_refusal() -> None:
    known = msgspec.structs.asdict(applied("eu-1"))
    (conflict,) = tellings_of(WorkRefused(**known, reason="AlreadyExists", message="is there"))
    (refusal,) = tellings_of(WorkRefused(**known, reason="Forbidden", message="no"))
    assert (conflict.reason, refusal.reason) == ("Conflict", "Refused")
    assert conflict.warning
    assert refusal.message == "eu-1: Forbidden: no"


def test_what_nobody_ordered_is_told_of_the_cluster_that_holds_it() -> None:
    known = msgspec.structs.asdict(applied("eu-1"))
    (stray,) = tellings_of(WorkStrayed(**known))
    assert (stray.about.kind, stray.about.name) == ("Cluster", "eu-1")
    assert stray.message.startswith("Deployment shop/web bears Hanse's marks")


def test_a_decision_is_told_of_the_template_and_of_its_binding() -> None:
    fact = read_fact((GOLDEN / "placement.decided.v1.json").read_bytes())
    assert isinstance(fact, PlacementDecided)
    template, binding = tellings_of(fact)
    assert (template.about.kind, template.about.name) == ("Deployment", "web")
    assert (binding.about.kind, binding.about.name) == ("ResourceBinding", "web-deployment")
    assert template.reason == binding.reason == "Moving"
    stays = msgspec.structs.replace(fact, leaving=())
    assert {one.reason for one in tellings_of(stays)} == {"Scheduled"}
    fails = msgspec.structs.replace(fact, scheduled=False)
    assert {(one.reason, one.warning) for one in tellings_of(fails)} == {("FailedScheduling", True)}


def test_a_split_is_told_of_its_policy() -> None:
    fact = read_fact((GOLDEN / "traffic.split-changed.v1.json").read_bytes())
    assert isinstance(fact, SplitChanged)
    (told_,) = tellings_of(fact)
    assert (told_.about.kind, told_.about.name, told_.reason) == ("TrafficPolicy", "web", "Split")
    assert told_.message == "traffic goes to eu-1 50%, us-1 50%; shift: step 2 of 3: 50%"
    (nowhere,) = tellings_of(msgspec.structs.replace(fact, after=(), reasons={"eu-1": "Drained"}))
    assert nowhere.warning
    assert nowhere.message == "traffic goes nowhere (eu-1: Drained)"


@pytest.mark.parametrize(
    ("fact", "kind", "reason", "warning"),
    [
        ("imported", "ServiceImport", "Imported", False),
        ("withdrawn", "ServiceImport", "Withdrawn", False),
        ("conflicted", "ServiceImport", "Conflict", True),
        ("export-refused", "ServiceExport", "NoService", True),
    ],
)
def test_what_becomes_of_exports_is_told_of_the_objects_at_the_hub(
    fact: str, kind: str, reason: str, *, warning: bool
) -> None:
    found = read_fact((GOLDEN / f"service.{fact}.v1.json").read_bytes())
    assert found is not None
    (telling,) = tellings_of(found)
    assert (telling.about.kind, telling.reason, telling.warning) == (kind, reason, warning)


def test_what_a_fact_leaves_out_is_looked_up() -> None:
    about = About("shop", "web")
    assert completed(about, None) is None
    found = completed(about, {"kind": "X", "apiVersion": "a/v1", "metadata": {"uid": "u"}})
    assert found == About("shop", "web", "a/v1", "X", "u")


def test_events_about_cluster_scoped_objects_lie_in_the_default_namespace() -> None:
    fact = read_fact((GOLDEN / "cluster.became-unreachable.v1.json").read_bytes())
    assert fact is not None
    (telling,) = tellings_of(fact)
    key = event_key(telling)
    assert key.namespace == "default"
    assert "namespace" not in event_manifest(key, told(telling))["involvedObject"]
