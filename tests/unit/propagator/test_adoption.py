"""What an object was before it was taken over, and making it that again."""

import json
from typing import Any

from services.propagator.core.adoption import (
    MARK_BYTES_MAX,
    adoption_patch,
    changes,
    conflicts,
    given_back,
    owner_of,
    read_mark,
)
from services.propagator.core.marks import ADOPTED
from shared.apimachinery.manifest import Manifest
from shared.apimachinery.patch import merge_patch

AT = "2026-01-01T00:00:00Z"


def entry(manager: str, fields: dict[str, Any], operation: str = "Update") -> dict[str, Any]:
    return {"manager": manager, "operation": operation, "fieldsV1": fields}


def data(*names: str) -> dict[str, Any]:
    return {"f:data": {f"f:{name}": {} for name in names}}


THEIRS: Manifest = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {
        "name": "a",
        "uid": "u",
        "resourceVersion": "7",
        "labels": {"app": "x"},
        "managedFields": [entry("kubectl", data("a", "b")), entry("small", data("c"))],
    },
    "data": {"a": "1", "b": "2", "c": "3"},
}


def adopted(**data_now: str) -> Manifest:
    """As it is once Hanse has applied a, d and a mark of ours, and another has b again."""
    marked = merge_patch(THEIRS, adoption_patch(THEIRS, AT, secret=False))
    ours = {**data("a", "b", "d"), "f:metadata": {"f:labels": {"f:hanse.dev/managed": {}}}}
    managed = [entry("hanse", ours, "Apply"), entry("small", data("c")), entry("new", data("b"))]
    metadata = {
        **marked["metadata"],
        "labels": {"app": "x", "hanse.dev/managed": "true"},
        "managedFields": managed,
    }
    return {**marked, "metadata": metadata, "data": {**THEIRS["data"], **data_now}}


def test_the_mark_says_who_and_what_and_holds_the_version() -> None:
    patch = adoption_patch(THEIRS, AT, secret=False)
    assert patch["metadata"]["resourceVersion"] == "7"
    mark = json.loads(patch["metadata"]["annotations"][ADOPTED])
    assert mark == {
        "at": AT,
        "managers": ["kubectl", "small"],
        "previous": {"metadata": {"labels": {"app": "x"}}, "data": THEIRS["data"]},
    }


def test_of_a_secret_and_of_what_is_large_it_keeps_no_contents() -> None:
    large = {**THEIRS, "data": {"a": "x" * MARK_BYTES_MAX}}
    for patch in (
        adoption_patch(THEIRS, AT, secret=True),
        adoption_patch(large, AT, secret=False),
    ):
        text = patch["metadata"]["annotations"][ADOPTED]
        assert json.loads(text) == {"at": AT, "managers": ["kubectl", "small"]}


def test_what_is_ours_alone_is_as_it_was_and_what_others_hold_stays() -> None:
    live = adopted(a="ours", b="new", c="changed", d="ours")
    assert owner_of(live) == "kubectl"
    back = merge_patch(live, given_back(live))
    assert back["data"] == {"a": "1", "b": "new", "c": "changed"}
    assert back["metadata"]["labels"] == {"app": "x"}
    assert ADOPTED not in (back["metadata"].get("annotations") or {})
    assert [each["manager"] for each in back["metadata"]["managedFields"]] == ["small", "new"]


def test_without_contents_the_values_stay() -> None:
    live = adopted(a="ours", d="ours")
    live["metadata"]["annotations"][ADOPTED] = "spoilt"
    assert read_mark(live) is not None
    back = merge_patch(live, given_back(live))
    assert back["data"] == live["data"]
    assert back["metadata"]["labels"] == {"app": "x"}


def test_what_hanse_made_is_let_go_as_it_is() -> None:
    ours = entry("hanse", data("a"), "Apply")
    live = {"metadata": {"name": "a", "managedFields": [ours]}, "data": {"a": "1"}}
    assert read_mark(live) is None
    patch = given_back(live)
    assert "data" not in patch
    assert patch["metadata"]["managedFields"] == [{}]


def test_additions_are_no_change() -> None:
    before = {"spec": {"a": 1, "list": [{"name": "x"}]}, "metadata": {"generation": 1}}
    after = {"spec": {"a": 1, "b": 2, "list": [{"name": "x", "y": 1}, {}]}, "metadata": {}}
    assert changes(before, after) == ""
    assert changes(after, before) == ".spec.b, .spec.list"
    assert changes({"spec": {"a": 1}}, {"spec": {"a": 2}}) == ".spec.a"


def test_conflicts_name_everybody_with_what_he_holds() -> None:
    ordered = {"data": {"a": "1", "b": "9", "c": "9"}}
    assert conflicts(ordered, THEIRS) == "kubectl holds .data.b; small holds .data.c"
    many = {"data": {f"k{number}": "x" for number in range(20)}}
    live = {
        "metadata": {"managedFields": [entry("m", data(*many["data"]))]},
        "data": dict.fromkeys(many["data"], "y"),
    }
    assert conflicts(many, live).endswith("and 12 more")
