"""What a cluster's share is beside replicas, read and written."""

import pytest

from shared.interpreter.portions import Portions, portions_of, with_portions
from shared.interpreter.registry import BUILT_IN

JOB = {"apiVersion": "batch/v1", "kind": "Job", "spec": {"parallelism": 9, "completions": 4}}
SET = {"apiVersion": "apps/v1", "kind": "StatefulSet", "spec": {"replicas": 3}}


@pytest.mark.parametrize(
    ("manifest", "portions"),
    [
        (JOB, Portions(completions=4)),
        ({**JOB, "spec": {"parallelism": 2}}, Portions()),
        (
            {**JOB, "spec": {"completions": 2, "completionMode": "Indexed"}},
            Portions(indivisible=True),
        ),
        (SET, Portions(ordinals_start=0)),
        ({**SET, "spec": {"ordinals": {"start": 7}}}, Portions(ordinals_start=7)),
        ({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {}}, Portions()),
        ({"apiVersion": "batch/v1", "kind": "Job"}, Portions()),
    ],
)
def test_portions_are_read(manifest, portions):
    assert portions_of(manifest) == portions


def test_portions_are_written_into_a_copy():
    job = with_portions(JOB, 3, None)
    assert job["spec"] == {"parallelism": 9, "completions": 3}
    assert JOB["spec"]["completions"] == 4
    assert with_portions(SET, None, 100)["spec"]["ordinals"] == {"start": 100}


def test_what_says_the_same_is_left_alone():
    assert with_portions(JOB, 4, None) is JOB
    assert with_portions(SET, None, 0) is SET


def test_no_more_pods_of_a_job_run_than_are_to_complete():
    assert BUILT_IN.of(JOB).demand(JOB).count == 4
