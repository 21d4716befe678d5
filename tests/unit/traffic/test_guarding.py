"""What cannot be taken in of one object is told, and ends nothing else."""

import pytest
from structlog.testing import capture_logs

from services.traffic.reconcilers.guarding import Guard
from shared.errors import MalformedEvent


def taken(guard: Guard, *errors: Exception | None) -> tuple[list[int], list[str]]:
    """Which of some objects are taken in, and what is told of the others."""
    found: list[int] = []
    told: list[str] = []
    for number, error in enumerate(errors):
        with guard.taking("exports", number, told.append):
            if error is not None:
                raise error
            found.append(number)
    return found, told


def test_what_cannot_be_read_is_told_and_the_rest_taken_in() -> None:
    with capture_logs() as logs:
        found, told = taken(Guard(), None, MalformedEvent("no JSON"), ValueError("no port"), None)
    assert found == [0, 3]
    assert told == ["it cannot be understood: no JSON", "it cannot be understood: no port"]
    assert [(one["event"], one["key"]) for one in logs] == [
        ("intake.unreadable", "1"),
        ("intake.unreadable", "2"),
    ]


def test_a_bug_that_one_object_brings_out_ends_nothing_but_in_tests() -> None:
    with capture_logs() as logs:
        assert taken(Guard(), KeyError("spec"), None) == ([1], ["it cannot be understood: 'spec'"])
    assert [one["event"] for one in logs] == ["intake.bug"]
    with pytest.raises(KeyError):
        taken(Guard(fail_fast=True), KeyError("spec"))
    # What is written wrong is no bug of ours.
    with capture_logs():
        assert taken(Guard(fail_fast=True), ValueError("no port"), None)[0] == [1]
