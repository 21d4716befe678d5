"""Decisions explained: what led to them, the verdict on every cluster, and how it reads."""

import msgspec
import pytest

from hanse.texts.explanation import as_text
from services.scheduler.core.decision import Rejection, RejectionCode, Scheduled
from services.scheduler.core.telling.explaining import explanation_of
from services.scheduler.core.telling.reasons import rejected_groups, trigger_of
from shared.api.binding import (
    BindingSnapshot,
    BindingSpec,
    Eviction,
    ObjectReference,
    PolicyReference,
)
from shared.events.explaining import ClusterVerdict
from shared.events.placement import PlacedShare, PlacementDecided, RejectedGroup

WEB = ObjectReference(
    api_version="apps/v1", kind="Deployment", resource="deployments", name="web", uid="u"
)
BEFORE = BindingSpec(resource=WEB, policy=PolicyReference(name="p", generation=1), replicas=3)
LEAVING = Eviction(cluster="eu-1", reason="X", message="its taint is not tolerated", since="")
GOING = Eviction(cluster="eu-1", reason="NoReplicaLeft", message="placed anew", since="")


def changed(**fields):
    return msgspec.structs.replace(BEFORE, **fields)


@pytest.mark.parametrize(
    ("before", "after", "code", "words"),
    [
        (None, BEFORE, "Created", "new"),
        (
            BEFORE,
            changed(resource=msgspec.structs.replace(WEB, uid="v")),
            "Created",
            "new",
        ),
        (
            BEFORE,
            changed(resource=msgspec.structs.replace(WEB, generation=2), replicas=5),
            "TemplateChanged",
            "3 replicas before",
        ),
        (
            BEFORE,
            changed(policy=PolicyReference(name="p", generation=2)),
            "PolicyChanged",
            "policy p changed",
        ),
        (
            BEFORE,
            changed(policy=PolicyReference(name="q")),
            "PolicyChanged",
            "policy q speaks for it now",
        ),
        (BEFORE, changed(required_by=(BindingSnapshot(name="x"),)), "UsersChanged", "needs it"),
        (
            BEFORE,
            changed(evictions=(LEAVING,)),
            "ClusterChanged",
            "eu-1: its taint is not tolerated",
        ),
        (changed(evictions=(LEAVING,)), BEFORE, "MoveWentOn", "has gone on"),
        (changed(rebalancing={"eu-2": 3}), changed(evictions=(GOING,)), "MoveWentOn", "gone on"),
        (
            changed(rebalancing={"eu-2": 3}),
            changed(evictions=(LEAVING,)),
            "ClusterChanged",
            "not tolerated",
        ),
        (BEFORE, changed(replicas=3, affinity_name="far"), "FleetChanged", "room"),
    ],
)
def test_the_trigger_is_what_changed_first(before, after, code, words):
    found = trigger_of(before, after)
    assert found.code == code
    assert words in found.message


def test_members_that_are_out_for_the_same_reason_stand_together():
    unready = Rejection(RejectionCode.NOT_READY, "it is not ready")
    full = Rejection(RejectionCode.NO_ROOM, "no room")
    decision = Scheduled(clusters=(), rejections={"b": unready, "c": full, "a": unready})
    found = [(one.code, one.count, one.clusters) for one in rejected_groups(decision)]
    assert found == [("NotReady", 2, ("a", "b")), ("NoRoom", 1, ("c",))]


FACT = PlacementDecided(
    api_version="apps/v1",
    kind="Deployment",
    namespace="shop",
    name="web",
    uid="u",
    template_generation=2,
    binding_uid="b",
    binding_generation=4,
    policy="shop/p",
    scheduled=True,
    reason="Success",
    message="placed",
    replicas=8,
    clusters=(PlacedShare(cluster="eu-1", replicas=5), PlacedShare(cluster="eu-2", replicas=3)),
    leaving=(PlacedShare(cluster="us-1", replicas=2),),
    occurred_at="2026-03-01T12:00:00Z",
    trigger="ClusterChanged",
    trigger_message="us-1: its taint lost:NoExecute is not tolerated",
    affinity="near",
    passed_over={"own": "none of 3 clusters fits"},
    reasons=(
        RejectedGroup(
            code="TaintToleration",
            message="its taint maintenance:NoSchedule is not tolerated",
            count=1,
            clusters=("eu-3",),
        ),
        RejectedGroup(
            code="TaintToleration", message="its taint lost:NoExecute", count=1, clusters=("us-1",)
        ),
        RejectedGroup(
            code="NotReady",
            message="it is not ready",
            count=10,
            clusters=tuple(f"ap-{n}" for n in range(10)),
        ),
    ),
    scores={"eu-1": 51, "eu-2": 1},
)
EARLIER = msgspec.structs.replace(
    FACT, clusters=(), scheduled=False, occurred_at="2026-03-01T11:00:00Z", trigger_message="new"
)


def test_an_explanation_has_a_verdict_on_every_cluster():
    found = explanation_of([FACT])
    verdicts = {one.cluster: one for one in found.clusters}
    assert len(verdicts) == 14
    assert verdicts["eu-1"] == ClusterVerdict(
        cluster="eu-1", standing="Placed", replicas=5, score=51
    )
    assert verdicts["us-1"].standing == "Leaving"
    assert (verdicts["ap-3"].standing, verdicts["ap-3"].code) == ("NotPlaced", "NotReady")
    assert found.now == ()


def test_only_what_would_be_another_verdict_today_is_told_beside():
    unlike = ClusterVerdict(cluster="eu-2", standing="Placed", replicas=4)
    same = ClusterVerdict(cluster="eu-1", standing="Placed", replicas=5)
    assert explanation_of([FACT], [same, unlike]).now == (unlike,)


def test_it_reads_as_a_person_would_say_it():
    now = ClusterVerdict(cluster="eu-2", standing="NotPlaced", message="it is not ready")
    assert as_text(explanation_of([EARLIER, FACT], [now])).splitlines() == [
        "Deployment shop/web: 8 replicas, by policy shop/p, group near",
        "decided 2026-03-01T12:00:00Z, because us-1: its taint lost:NoExecute is not tolerated",
        "  not group own: none of 3 clusters fits",
        "  eu-1: 5 of 8 (score 51)",
        "  eu-2: 3 of 8 (score 1)",
        "  leaving us-1: 2 of 8: its taint lost:NoExecute",
        "  not ap-0, ap-1, ap-2, ap-3, ap-4, ap-5, ap-6, ap-7 and 2 more: it is not ready",
        "  not eu-3: its taint maintenance:NoSchedule is not tolerated",
        "today it would be:",
        "  not eu-2: it is not ready",
        "before:",
        "  2026-03-01T11:00:00Z: nowhere, not as asked for (new)",
    ]
