"""Jobs: every pod counts once, and the end is told in the words of a real cluster."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.simulator.core.jobs import TRACKING, format_indexes, parse_indexes
from services.simulator.core.plan import JOBS
from shared.apimachinery.manifest import annotations_of, labels_of
from tests.unit.simulator.simulator_model import Model, condition_of, job


def test_a_job_is_complete_when_its_pod_has_succeeded() -> None:
    model = Model()
    model.add(JOBS, job())
    model.settle()
    assert model.status(JOBS, "load")["active"] == 1
    model.ready()
    model.finish()
    model.settle()

    status = model.status(JOBS, "load")
    assert status["succeeded"] == 1
    assert status["completionTime"]
    for kind in ("SuccessCriteriaMet", "Complete"):
        found = condition_of(status, kind)
        assert (found["status"], found["reason"]) == ("True", "CompletionsReached")
        assert found["message"] == "Reached expected number of succeeded pods"


def test_a_new_job_selects_its_own_pods() -> None:
    model = Model()
    made = model.add(JOBS, job())
    model.settle()
    uid = made["metadata"]["uid"]
    assert made["spec"]["selector"]["matchLabels"] == {"batch.kubernetes.io/controller-uid": uid}
    assert labels_of(model.pods()[0])["batch.kubernetes.io/job-name"] == "load"


def test_a_finished_pod_is_let_go_once_it_is_counted() -> None:
    model = Model()
    model.add(JOBS, job(completions=3, parallelism=1))
    model.settle()
    assert model.pods()[0]["metadata"]["finalizers"] == [TRACKING]
    for expected in (1, 2, 3):
        model.finish()
        model.settle()
        assert model.status(JOBS, "load")["succeeded"] == expected
    assert not any(pod["metadata"].get("finalizers") for pod in model.pods())


def test_no_more_pods_run_at_once_than_asked() -> None:
    model = Model()
    model.add(JOBS, job(completions=5, parallelism=2))
    model.settle()
    assert len(model.pods()) == 2


def test_indexed_jobs_give_each_index_one_success() -> None:
    model = Model()
    model.add(JOBS, job(completions=3, parallelism=3, completionMode="Indexed"))
    model.settle()
    indexes = {
        annotations_of(pod)["batch.kubernetes.io/job-completion-index"] for pod in model.pods()
    }
    assert indexes == {"0", "1", "2"}
    model.finish()
    model.settle()
    assert model.status(JOBS, "load")["completedIndexes"] == "0-2"


def test_too_many_failures_end_the_job() -> None:
    model = Model()
    model.add(JOBS, job(backoffLimit=1))
    for _ in range(2):
        model.settle()
        model.finish(failed=True)
    model.settle()

    failed = condition_of(model.status(JOBS, "load"), "Failed")
    assert failed["reason"] == "BackoffLimitExceeded"
    assert failed["message"] == "Job has reached the specified backoff limit"
    assert model.status(JOBS, "load")["failed"] == 2


def test_a_suspended_job_runs_nothing_until_it_is_resumed() -> None:
    model = Model()
    model.add(JOBS, job(suspend=True))
    model.settle()
    assert model.pods() == []
    assert condition_of(model.status(JOBS, "load"), "Suspended")["status"] == "True"

    model.change_spec(JOBS, "load", suspend=False)
    model.settle()
    assert len(model.pods()) == 1
    assert condition_of(model.status(JOBS, "load"), "Suspended")["reason"] == "JobResumed"


def test_a_job_goes_when_its_time_to_live_is_over() -> None:
    model = Model()
    model.add(JOBS, job(ttlSecondsAfterFinished=60))
    model.settle()
    model.finish()
    model.settle()
    model.pass_time(61)
    model.settle()
    assert model.view.all(JOBS, "shop") == []


@pytest.mark.parametrize(
    ("text", "indexes"), [("", set()), ("0", {0}), ("0,1", {0, 1}), ("1,3-5", {1, 3, 4, 5})]
)
def test_indexes_are_written_as_ranges(text: str, indexes: set[int]) -> None:
    assert format_indexes(frozenset(indexes)) == text


@given(st.sets(st.integers(0, 60)))
def test_indexes_survive_writing_and_reading(indexes: set[int]) -> None:
    assert parse_indexes(format_indexes(frozenset(indexes))) == indexes
