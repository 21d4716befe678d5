"""A book finds fault where it should: otherwise the churn would prove nothing."""

from typing import Any

import pytest

from tests.churn.book import Book, Expired


def manifest(name: str, number: int, version: int, uid: str = "u") -> Any:
    metadata = {"name": name, "uid": uid, "resourceVersion": str(version)}
    return {"metadata": metadata, "data": {"n": str(number)}}


def event(kind: str, *parts: Any) -> Any:
    return {"type": kind, "object": manifest(*parts)}


def book() -> Book:
    found = Book("test")
    found.replace([manifest("a", 3, 10)], 12)
    return found


@pytest.mark.parametrize(
    "events",
    [
        [event("MODIFIED", "a", 4, 13), event("DELETED", "a", 4, 14), event("ADDED", "a", 1, 15)],
        [event("ADDED", "b", 7, 20), event("MODIFIED", "b", 8, 21)],
        [{"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "30"}}}],
    ],
)
def test_what_can_be_true_is_taken(events):
    found = book()
    for one in events:
        found.take(one)
    assert found.wrong == []


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([event("MODIFIED", "a", 4, 12)], id="told again"),
        pytest.param([event("MODIFIED", "a", 5, 13)], id="one missed"),
        pytest.param([event("ADDED", "a", 4, 13)], id="added twice"),
        pytest.param([event("ADDED", "a", 1, 13, "v")], id="a deletion missed"),
        pytest.param([event("DELETED", "b", 1, 13)], id="never seen"),
        pytest.param([event("MODIFIED", "a", 4, 14), event("ADDED", "b", 1, 13)], id="disorder"),
        pytest.param(
            [{"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "5"}}}], id="back"
        ),
    ],
)
def test_what_cannot_be_true_is_noted(events):
    found = book()
    for one in events:
        found.take(one)
    assert found.wrong != []


def test_a_list_may_be_later_and_never_earlier():
    found = book()
    found.replace([manifest("a", 9, 40)], 41)
    assert found.wrong == []
    found.replace([manifest("a", 8, 39)], 42)
    assert found.wrong != []


def test_an_expired_version_is_listed_again():
    with pytest.raises(Expired):
        book().take({"type": "ERROR", "object": {"code": 410}})
