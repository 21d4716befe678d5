"""What a user reads on the template when several members run it."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.api.binding import ClusterReport
from shared.apimachinery.manifest import Manifest
from shared.interpreter.registry import BUILT_IN
from shared.interpreter.reports import gather_reports


def a_template(kind: str, api_version: str = "apps/v1", generation: int = 4) -> Manifest:
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": "web", "generation": generation},
    }


def a_report(
    cluster: str, *, template_generation: int = 4, applied: bool = True, **status: Any
) -> Any:
    return ClusterReport(
        cluster=cluster, applied=applied, template_generation=template_generation, status=status
    )


def rolled_out(cluster: str, replicas: int, **changes: Any) -> Any:
    status: dict[str, Any] = {
        "replicas": replicas,
        "updatedReplicas": replicas,
        "readyReplicas": replicas,
        "availableReplicas": replicas,
        "observedGeneration": 7,
        "generation": 7,
    }
    return a_report(cluster, **(status | changes))


DEPLOYMENT = a_template("Deployment")


def aggregate_status(template: Manifest, reports: Any, **known: Any) -> dict[str, Any] | None:
    return BUILT_IN.of(template).aggregate(gather_reports(template, reports, **known))


def reflect_status(manifest: Manifest) -> dict[str, Any]:
    return BUILT_IN.of(manifest).reflect(manifest)


def aggregated(template: Manifest, *reports: Any, **known: Any) -> dict[str, Any]:
    found = aggregate_status(template, reports, **known)
    assert found is not None
    return found


def test_replicas_add_up_and_the_generation_is_observed() -> None:
    assert aggregated(DEPLOYMENT, rolled_out("a", 2), rolled_out("b", 1)) == {
        "observedGeneration": 4,
        "replicas": 3,
        "updatedReplicas": 3,
        "readyReplicas": 3,
        "availableReplicas": 3,
    }


def test_a_target_that_has_not_applied_the_generation_holds_it_back() -> None:
    behind = rolled_out("b", 1, template_generation=3)
    assert aggregated(DEPLOYMENT, rolled_out("a", 2), behind)["observedGeneration"] == 3
    refused = rolled_out("b", 1, applied=False)
    assert aggregated(DEPLOYMENT, rolled_out("a", 2), refused)["observedGeneration"] == 3


def test_a_target_whose_controllers_have_not_looked_yet_holds_it_back() -> None:
    not_looked = rolled_out("b", 1, observedGeneration=6)
    assert aggregated(DEPLOYMENT, rolled_out("a", 2), not_looked)["observedGeneration"] == 3


def test_a_target_that_has_said_nothing_holds_it_back() -> None:
    silent = ClusterReport(cluster="b")
    assert aggregated(DEPLOYMENT, rolled_out("a", 2), silent)["observedGeneration"] == 0


def test_an_old_decision_holds_it_back() -> None:
    status = aggregated(DEPLOYMENT, rolled_out("a", 2), decided_generation=3)
    assert status["observedGeneration"] == 3


def test_without_targets_the_decided_generation_is_observed() -> None:
    assert aggregated(DEPLOYMENT) == {"observedGeneration": 4}


def test_a_leaving_share_counts_as_old_replicas() -> None:
    status = aggregated(DEPLOYMENT, rolled_out("a", 2), rolled_out("b", 1), leaving={"b"})
    assert status["replicas"] == 3
    assert status["updatedReplicas"] == 2


def test_a_silent_member_is_not_believed_to_be_ready() -> None:
    status = aggregated(DEPLOYMENT, rolled_out("a", 2), rolled_out("b", 1), silent={"b"})
    assert status["replicas"] == 3
    assert status["readyReplicas"] == 2
    assert status["unavailableReplicas"] == 1


def test_a_silent_member_that_is_leaving_counts_for_nothing() -> None:
    status = aggregated(
        DEPLOYMENT, rolled_out("a", 2), rolled_out("b", 1), leaving={"b"}, silent={"b"}
    )
    assert status["replicas"] == 2


def condition(name: str, status: str, reason: str, time: str) -> dict[str, str]:
    return {"type": name, "status": status, "reason": reason, "lastTransitionTime": time}


def test_it_is_available_where_every_target_is() -> None:
    early, late = "2026-01-01T00:00:00Z", "2026-01-01T00:00:09Z"
    good = [condition("Available", "True", "MinimumReplicasAvailable", early)]
    bad = [condition("Available", "False", "MinimumReplicasUnavailable", late)]

    both = aggregated(
        DEPLOYMENT, rolled_out("a", 1, conditions=good), rolled_out("b", 1, conditions=good)
    )
    assert both["conditions"][0]["status"] == "True"

    one = aggregated(
        DEPLOYMENT, rolled_out("a", 1, conditions=good), rolled_out("b", 1, conditions=bad)
    )
    assert one["conditions"][0]["status"] == "False"
    assert one["conditions"][0]["message"].startswith("b: ")
    assert one["conditions"][0]["lastTransitionTime"] == late


def test_a_rollout_stuck_in_one_member_is_stuck() -> None:
    stuck = [condition("Progressing", "False", "ProgressDeadlineExceeded", "")]
    fine = [condition("Progressing", "True", "NewReplicaSetAvailable", "")]
    status = aggregated(
        DEPLOYMENT, rolled_out("a", 1, conditions=fine), rolled_out("b", 1, conditions=stuck)
    )
    assert status["conditions"][0]["reason"] == "ProgressDeadlineExceeded"
    assert "lastTransitionTime" not in status["conditions"][0]


def test_a_stateful_set_shows_the_revisions_of_a_member_that_still_rolls() -> None:
    done = rolled_out("a", 1, currentRevision="x", updateRevision="x")
    rolling = rolled_out("b", 1, currentRevision="v", updateRevision="w")
    status = aggregated(a_template("StatefulSet"), done, rolling)
    assert (status["currentRevision"], status["updateRevision"]) == ("v", "w")
    status = aggregated(a_template("StatefulSet"), done)
    assert status["currentRevision"] == status["updateRevision"]


def test_a_job_is_complete_when_it_is_everywhere() -> None:
    job = a_template("Job", "batch/v1")
    complete = [condition("Complete", "True", "CompletionsReached", "")]
    done = a_report("a", succeeded=1, completionTime="2026-01-01T00:00:05Z", conditions=complete)
    assert "conditions" not in aggregated(job, done, a_report("b", active=1))

    also = a_report("b", succeeded=2, completionTime="2026-01-01T00:00:07Z", conditions=complete)
    status = aggregated(job, done, also)
    assert status["succeeded"] == 3
    assert status["completionTime"] == "2026-01-01T00:00:07Z"
    assert status["conditions"][0]["type"] == "Complete"


def test_a_job_that_failed_anywhere_failed() -> None:
    failed = [condition("Failed", "True", "BackoffLimitExceeded", "")]
    status = aggregated(
        a_template("Job", "batch/v1"), a_report("a", active=1), a_report("b", conditions=failed)
    )
    assert status["conditions"] == [
        {
            "type": "Failed",
            "status": "True",
            "reason": "BackoffLimitExceeded",
            "message": "b: BackoffLimitExceeded",
        }
    ]


def test_a_service_has_the_addresses_of_all_reachable_members() -> None:
    service = a_template("Service", "v1")
    reports = [
        a_report(name, loadBalancer={"ingress": [{"ip": f"192.0.2.{number}"}]})
        for number, name in enumerate("abc")
    ]
    status = aggregated(service, *reports, silent={"b"})
    assert status == {"loadBalancer": {"ingress": [{"ip": "192.0.2.0"}, {"ip": "192.0.2.2"}]}}


def test_a_claim_is_bound_when_it_is_everywhere() -> None:
    claim = a_template("PersistentVolumeClaim", "v1")
    bound = a_report("a", phase="Bound", capacity={"storage": "1Gi"})
    assert aggregated(claim, bound, ClusterReport(cluster="b")) == {"phase": "Pending"}
    assert aggregated(claim, bound) == {"phase": "Bound", "capacity": {"storage": "1Gi"}}
    assert aggregated(claim, bound, a_report("b", phase="Lost")) == {"phase": "Lost"}


def test_a_volume_shows_the_phase_that_most_needs_a_look() -> None:
    volume = a_template("PersistentVolume", "v1")
    bound = a_report("a", phase="Bound")
    assert aggregated(volume, bound) == {"phase": "Bound"}
    assert aggregated(volume, bound, a_report("b", phase="Failed")) == {"phase": "Failed"}
    assert aggregated(volume, bound, ClusterReport(cluster="b")) == {"phase": "Pending"}


def test_a_quota_shows_what_all_allow_and_what_is_taken() -> None:
    quota = a_template("ResourceQuota", "v1")
    reports = [
        a_report("a", hard={"cpu": "2", "memory": "1Gi"}, used={"cpu": "500m"}),
        a_report("b", hard={"cpu": "1"}, used={"cpu": "250m"}),
    ]
    assert aggregated(quota, *reports) == {
        "hard": {"cpu": "3", "memory": "1Gi"},
        "used": {"cpu": "750m"},
    }
    assert aggregated(quota, ClusterReport(cluster="a")) == {}
    unread = a_report("a", hard={"cpu": "much"}, used={"cpu": "1"})
    assert aggregated(quota, unread) == {"used": {"cpu": "1"}}


def test_kinds_whose_statuses_do_not_add_up_have_none() -> None:
    assert aggregate_status(a_template("ConfigMap", "v1"), []) is None
    assert aggregate_status(a_template("Widget", "acme.example/v1"), []) is None


COUNTS = st.lists(st.integers(min_value=0, max_value=1000), min_size=1, max_size=8)


@given(COUNTS)
def test_the_sum_is_the_sum_in_whatever_order(counts: list[int]) -> None:
    reports = [rolled_out(f"c{index}", number) for index, number in enumerate(counts)]
    status = aggregated(DEPLOYMENT, *reports)
    assert status.get("replicas", 0) == sum(counts)
    assert status == aggregated(DEPLOYMENT, *reversed(reports))


def test_what_is_reflected_suffices_to_observe_the_generation() -> None:
    member = a_template("Deployment", generation=9) | {
        "status": {"observedGeneration": 9, "replicas": 1, "updatedReplicas": 1, "noise": "x"}
    }
    reflected = reflect_status(member)
    assert "noise" not in reflected
    report = ClusterReport(cluster="a", applied=True, template_generation=4, status=reflected)
    assert aggregated(DEPLOYMENT, report)["observedGeneration"] == 4


def test_a_large_status_of_an_unknown_kind_is_reflected_in_short() -> None:
    widget = a_template("Widget", "acme.example/v1")
    small = widget | {"status": {"phase": "Fine", "colour": "red"}}
    assert reflect_status(small) == {"phase": "Fine", "colour": "red"}
    large = widget | {"status": {"phase": "Fine", "log": "x" * 5000}}
    assert reflect_status(large) == {"phase": "Fine"}


def test_long_messages_and_heartbeats_are_not_reflected() -> None:
    member = a_template("Deployment") | {
        "status": {
            "conditions": [
                {
                    "type": "Available",
                    "status": "True",
                    "message": "x" * 2000,
                    "lastUpdateTime": "2026-01-01T00:00:00Z",
                }
            ]
        }
    }
    (found,) = reflect_status(member)["conditions"]
    assert len(found["message"]) == 512
    assert "lastUpdateTime" not in found


def test_a_kind_nobody_knows_adds_up_by_the_usual_conditions() -> None:
    ready = {"conditions": [{"type": "Ready", "status": "True", "reason": "Done"}]}
    widget = a_template("Widget", "acme.example/v1")
    found = aggregated(widget, a_report("a", **ready), a_report("b", **ready))
    assert [(one["type"], one["status"]) for one in found["conditions"]] == [("Ready", "True")]
    assert "observedGeneration" not in found
    found = aggregated(widget, a_report("a", **ready, observedGeneration=3, generation=3))
    assert found["observedGeneration"] == 4
    found = aggregated(widget, a_report("a", **ready), a_report("b"))
    assert found["conditions"][0]["status"] == "Unknown"
