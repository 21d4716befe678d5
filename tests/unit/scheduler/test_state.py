"""What goes along of an object's state: values that a label can hold, and a word on the others."""

from services.scheduler.core.state import carried, preserve
from shared.api.binding import Eviction
from shared.api.failover import StatePreservation, StatePreservationRule


def rules(*paths: str) -> StatePreservation:
    return StatePreservation(
        rules=tuple(
            StatePreservationRule(alias_label_name=f"l{index}", json_path=path)
            for index, path in enumerate(paths)
        )
    )


def test_scalars_become_labels() -> None:
    status = {"id": 7, "done": True, "job": {"name": "a-1"}}
    found = preserve(rules("{.id}", ".done", "{.job.name}"), status)
    assert found == ({"l0": "7", "l1": "true", "l2": "a-1"}, "")


def test_what_is_no_label_is_told() -> None:
    status = {"long": "x" * 64, "list": [1], "path": "/a b"}
    labels, lost = preserve(rules("{.long}", "{.list}", "{.path}", "{.none}"), status)
    assert labels == {}
    for path in ("{.long}", "{.list}", "{.path}", "{.none}"):
        assert f"{path} is not carried along" in lost


def test_without_rules_there_is_nothing() -> None:
    assert preserve(None, {"a": 1}) == ({}, "")


def test_of_several_that_leave_all_is_handed_on() -> None:
    first = Eviction(cluster="a", reason="R", since="", preserved={"x": "1", "y": "1"})
    second = Eviction(cluster="b", reason="R", since="", preserved={"x": "2"})
    assert carried([second, first]) == {"x": "2", "y": "1"}
