"""How members' reports become the status of a binding and of its template."""

from typing import Any

import msgspec

from services.health.core.fold import (
    NOTHING,
    Folded,
    binding_status,
    evident,
    fold,
    same_but_for_times,
    template_status,
)
from services.health.reconcilers.statuses import fails_otherwise
from shared.api.binding import (
    FULLY_APPLIED,
    HEALTHY,
    SCHEDULED,
    BindingSpec,
    BindingStatus,
    Eviction,
    FailedOverride,
    ObjectReference,
    PolicyReference,
    ResourceBinding,
    TargetCluster,
)
from shared.api.conditions import find_condition
from shared.api.meta import Condition, ObjectMeta, section
from shared.api.staging import RolloutStrategy
from shared.apimachinery.manifest import ObjectKey
from shared.events.work import WorkReport
from shared.interpreter.registry import BUILT_IN
from shared.store.port import Change, ChangeType, Revision, Stored

TEMPLATE: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "generation": 2, "uid": "u1"},
}


def a_binding(*targets: TargetCluster, leaving: tuple[str, ...] = ()) -> ResourceBinding:
    return ResourceBinding(
        metadata=ObjectMeta(name="web-deployment", namespace="shop", generation=5),
        spec=BindingSpec(
            resource=ObjectReference(
                api_version="apps/v1",
                kind="Deployment",
                resource="deployments",
                namespace="shop",
                name="web",
                uid="u1",
                generation=2,
            ),
            policy=PolicyReference(kind="PropagationPolicy", name="all"),
            clusters=targets,
            evictions=tuple(
                Eviction(cluster=name, reason="Unreachable", since="") for name in leaving
            ),
        ),
    )


def a_report(replicas: int = 1, **changes: Any) -> WorkReport:
    status = dict.fromkeys(
        ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), replicas
    )
    known: dict[str, Any] = {
        "generation": 9,
        "template_uid": "u1",
        "template_generation": 2,
        "applied": True,
        "present": True,
        "observed_time": "2026-01-01T00:00:01.000000Z",
        "health": "Healthy",
        "status": status | {"generation": 3, "observedGeneration": 3},
    }
    return WorkReport(**(known | changes))


def target(name: str, replicas: int | None = None, since: str = "") -> TargetCluster:
    return TargetCluster(name=name, replicas=replicas, since=since)


def conditions(binding: ResourceBinding, folded: Folded) -> dict[str, Condition]:
    status = binding_status(binding, folded, (), now="t1")
    return {each.type: each for each in status.conditions}


def test_applied_and_healthy_everywhere() -> None:
    binding = a_binding(target("a", 1), target("b", 1))
    folded = fold(binding, {"a": a_report(), "b": a_report()}, ())
    found = conditions(binding, folded)
    assert found[FULLY_APPLIED].status == found[HEALTHY].status == "True"
    assert found[HEALTHY].observed_generation == 5
    status = template_status(TEMPLATE, binding, folded, BUILT_IN.of(TEMPLATE))
    assert status is not None
    assert status["readyReplicas"] == 2
    assert status["observedGeneration"] == 2


def test_a_target_that_said_nothing_is_awaited() -> None:
    binding = a_binding(target("a"), target("b"))
    folded = fold(binding, {"a": a_report()}, ())
    assert [each.cluster for each in folded.reports] == ["a", "b"]
    found = conditions(binding, folded)[FULLY_APPLIED]
    assert (found.status, found.reason) == ("False", "Awaiting")
    assert found.message == "b: not yet"


def test_who_waits_for_its_turn_is_told_where_turns_are_decided() -> None:
    binding = a_binding(target("a"), target("b"))
    spec = msgspec.structs.replace(binding.spec, rollout=RolloutStrategy())
    binding = msgspec.structs.replace(binding, spec=spec)
    name = binding.metadata.name
    found = conditions(binding, fold(binding, {"a": a_report()}, ()))[FULLY_APPLIED]
    assert found.message == f"b: not yet; resourcerollout {name} says whose turn it is"


def test_a_silent_member_is_named_as_the_reason() -> None:
    binding = a_binding(target("a"), target("b"))
    found = conditions(binding, fold(binding, {"a": a_report()}, {"b"}))
    silent = "(nothing is heard of the cluster)"
    assert found[FULLY_APPLIED].message == f"b: not yet {silent}"
    assert found[HEALTHY].message == f"b: Unknown {silent}"


def test_what_others_delete_is_applied_and_said_not_to_be_well() -> None:
    going = a_report(health="Progressing", reason="Terminating", message="held by x")
    binding = a_binding(target("a"))
    found = conditions(binding, fold(binding, {"a": going}, ()))
    assert found[FULLY_APPLIED].status == "True"
    assert found[HEALTHY].message == "a: Progressing (Terminating: held by x)"


def test_a_refusal_is_told_with_its_reason() -> None:
    binding = a_binding(target("a"))
    refused = a_report(applied=False, reason="Invalid", message="no such field")
    folded = fold(binding, {"a": refused}, ())
    found = conditions(binding, folded)[FULLY_APPLIED]
    assert (found.reason, found.message) == ("Refused", "a: Invalid: no such field")


def test_an_override_that_failed_is_named_with_its_cluster() -> None:
    policy = PolicyReference(kind="OverridePolicy", namespace="shop", name="p")
    failed = FailedOverride(cluster="b", policy=policy, message="no region")
    binding = a_binding(target("a"), target("b"), target("c"))
    status = BindingStatus(override_failures=(failed,))
    binding = msgspec.structs.replace(binding, status=status)
    # It holds what it was ordered before, and does well with it.
    folded = fold(binding, {name: a_report() for name in "abc"}, ())
    written = binding_status(binding, folded, (), now="t1")
    found = {each.type: each for each in written.conditions}
    why = "OverrideFailed: OverridePolicy shop/p: no region; it keeps what it has"
    applied = found[FULLY_APPLIED]
    assert (applied.status, applied.reason) == ("False", "OverrideFailed")
    assert applied.message == f"b: {why}"
    assert [each.message for each in written.aggregated_status] == ["", why, ""]
    assert found[HEALTHY].status == "True"
    assert written.override_failures == (failed,), "that is dispatch's to take back"


def test_what_dispatch_says_of_overrides_wakes_and_our_own_word_does_not() -> None:
    def stored(revision: int, **status: Any) -> Stored:
        manifest = {"kind": "ResourceBinding", "metadata": {"generation": 1}, "status": status}
        key = ObjectKey("hanse.dev", "resourcebindings", "s", "b")
        return Stored(key, Revision(revision), manifest)

    failed = [{"cluster": "b", "message": "no region"}]
    plain, told = stored(1), stored(2, overrideFailures=failed)
    ours = stored(3, overrideFailures=failed, conditions=[{"type": "Healthy"}])
    heard = [
        fails_otherwise(Change(ChangeType.MODIFIED, after, before))
        for before, after in ((plain, told), (told, ours), (ours, plain), (plain, stored(4)))
    ]
    assert heard == [True, False, True, False]


def test_an_older_generation_is_not_applied_yet() -> None:
    binding = a_binding(target("a"))
    folded = fold(binding, {"a": a_report(template_generation=1)}, ())
    assert conditions(binding, folded)[FULLY_APPLIED].status == "False"


def test_a_report_on_a_former_template_of_that_name_says_nothing() -> None:
    folded = fold(a_binding(target("a")), {"a": a_report(template_uid="other")}, ())
    assert folded.reports[0].status == {}


def test_a_share_is_healthy_only_with_as_many_replicas_as_it_was_given() -> None:
    folded = fold(a_binding(target("a", 4)), {"a": a_report(2)}, ())
    assert folded.reports[0].health == "Progressing"
    folded = fold(a_binding(target("a", 2)), {"a": a_report(2)}, ())
    assert folded.reports[0].health == "Healthy"


def test_where_the_member_decides_how_many_run_its_word_counts() -> None:
    report = a_report(2, replicas_owner="Member")
    (shown,) = fold(a_binding(target("a", 4)), {"a": report}, ()).reports
    assert (shown.health, shown.replicas_owner) == ("Healthy", "Member")


def test_a_silent_member_is_of_unknown_health_and_not_ready() -> None:
    binding = a_binding(target("a", 1), target("b", 1))
    folded = fold(binding, {"a": a_report(), "b": a_report()}, {"b"})
    assert conditions(binding, folded)[HEALTHY].reason == "Unknown"
    status = template_status(TEMPLATE, binding, folded, BUILT_IN.of(TEMPLATE))
    assert status is not None
    assert (status["replicas"], status["readyReplicas"]) == (2, 1)


def test_a_leaving_share_is_shown_and_not_waited_for() -> None:
    binding = a_binding(target("a", 1), leaving=("b",))
    folded = fold(binding, {"a": a_report(), "b": a_report(applied=False)}, ())
    assert [each.cluster for each in folded.reports] == ["a", "b"]
    assert conditions(binding, folded)[FULLY_APPLIED].status == "True"


def test_what_the_scheduler_says_stays() -> None:
    binding = a_binding(target("a"))
    scheduled = Condition(type=SCHEDULED, status="True", reason="Decided")
    status = binding_status(binding, fold(binding, {}, ()), [scheduled], now="t1")
    assert find_condition(status.conditions, SCHEDULED) == scheduled


def test_without_a_binding_nothing_runs() -> None:
    assert template_status(TEMPLATE, None, NOTHING, BUILT_IN.of(TEMPLATE)) == {
        "observedGeneration": 0
    }


def test_times_alone_are_no_reason_to_write() -> None:
    one = {"conditions": [{"type": "A", "lastTransitionTime": "x"}], "n": 1}
    other = {"conditions": [{"type": "A", "lastTransitionTime": "y"}], "n": 1}
    assert same_but_for_times(one, other)
    assert same_but_for_times(one, other | {"lastUpdateTime": "z"})
    assert not same_but_for_times(one, other | {"n": 2})
    assert not same_but_for_times(one, other | {"m": None})


def test_a_status_is_the_same_once_it_was_stored_and_read() -> None:
    binding = a_binding(target("a"), target("b"))
    folded = fold(binding, {"a": a_report(), "b": a_report()}, ())
    fresh = section(binding_status(binding, folded, (), now="t1"))
    assert same_but_for_times(msgspec.json.decode(msgspec.json.encode(fresh)), fresh)


def test_an_equal_report_made_after_the_share_grew_is_news() -> None:
    binding = a_binding(target("a", 1, since="2026-01-01T00:00:05.000000Z"))
    before = fold(binding, {"a": a_report()}, ()).reports
    later = a_report(observed_time="2026-01-01T00:00:06.000000Z")
    after = fold(binding, {"a": later}, ()).reports
    assert evident(binding, before) == frozenset()
    assert evident(binding, after) == {"a"}
