"""Laws of server-side apply, over a schema with every way that lists and maps can merge."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.apimachinery.apply import Conflicts, Writer, apply, track_update
from shared.apimachinery.differing import compare, fields_of
from shared.apimachinery.field_sets import (
    FieldSet,
    includes,
    intersect,
    is_field_set,
    normal,
    subtract,
    union,
)
from shared.apimachinery.managed_fields import (
    read_managers,
    read_sent_managers,
    write_managers,
)
from shared.apimachinery.manifest import Manifest
from shared.apimachinery.schema import node

_TEXT = {"type": "string"}
_ITEM = {
    "type": "object",
    "properties": {
        "name": _TEXT,
        "protocol": {"type": "string", "default": "TCP"},
        "value": _TEXT,
        "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": _TEXT},
    },
}
_SPEC = {
    "type": "object",
    "properties": {
        "text": _TEXT,
        "map": {"type": "object", "additionalProperties": _TEXT},
        "whole": {"type": "object", "x-kubernetes-map-type": "atomic"},
        "list": {"type": "array", "items": _TEXT},
        "set": {"type": "array", "x-kubernetes-list-type": "set", "items": _TEXT},
        "items": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name", "protocol"],
            "items": _ITEM,
        },
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    },
}
SCHEMA = node({"type": "object", "properties": {"spec": _SPEC}})
FORCE = True

values = st.sampled_from("12")
names = st.sampled_from("abc")
# An empty list of items is a value that nobody owns, here as upstream: it obeys no law.
unique_names = st.lists(names, unique=True, min_size=1, max_size=3)
items = st.lists(
    st.fixed_dictionaries(
        {"name": names},
        optional={
            "protocol": st.sampled_from(["TCP", "UDP"]),
            "value": values,
            "tags": unique_names,
        },
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda item: (item["name"], item.get("protocol", "TCP")),
)
specs = st.fixed_dictionaries(
    {},
    optional={
        "text": values,
        "map": st.dictionaries(names, values, max_size=3),
        "whole": st.dictionaries(names, values, max_size=2),
        "list": st.lists(names, max_size=3),
        "set": unique_names,
        "items": items,
        "free": st.dictionaries(names, st.dictionaries(names, values, max_size=2), max_size=2),
    },
)
managers = st.sampled_from("xyz")
histories = st.lists(st.tuples(managers, specs), max_size=5)


def toy(spec: dict[str, Any]) -> Manifest:
    return {
        "apiVersion": "example.com/v1",
        "kind": "Toy",
        "metadata": {"name": "a"},
        **({"spec": spec} if spec else {}),
    }


def writer(manager: str, now: str = "2026-01-01T00:00:00Z") -> Writer:
    return Writer(manager, "example.com/v1", now)


def forced(live: Manifest | None, manager: str, spec: dict[str, Any]) -> Manifest:
    found = apply(live, toy(spec), writer(manager), SCHEMA, force=FORCE)
    assert not isinstance(found, Conflicts)
    return found


def after(history: list[tuple[str, dict[str, Any]]]) -> Manifest | None:
    live: Manifest | None = None
    for manager, spec in history:
        live = forced(live, manager, spec)
    return live


def owned(manifest: Manifest) -> dict[str, FieldSet]:
    entries = manifest["metadata"].get("managedFields") or []
    return {entry["manager"]: entry["fieldsV1"] for entry in entries}


def fields(manifest: Manifest | None) -> FieldSet:
    spec = (manifest or {}).get("spec")
    return fields_of({"spec": spec}, SCHEMA.as_object()) if spec else {}


def unordered(value: Any) -> Any:
    """Return *value* so that the order of lists does not count."""
    if isinstance(value, dict):
        return {name: unordered(each) for name, each in value.items()}
    if isinstance(value, list):
        return sorted((unordered(each) for each in value), key=json.dumps)
    return value


@given(histories, managers, specs)
def test_applying_twice_is_applying_once(
    history: list[tuple[str, dict[str, Any]]], manager: str, spec: dict[str, Any]
) -> None:
    once = forced(after(history), manager, spec)
    later = apply(once, toy(spec), writer(manager, "2030-01-01T00:00:00Z"), SCHEMA, force=False)
    assert later == once


@given(histories, managers, specs)
def test_who_forces_owns_what_he_applied_and_nobody_owns_it_against_him(
    history: list[tuple[str, dict[str, Any]]], manager: str, spec: dict[str, Any]
) -> None:
    before = after(history)
    found = forced(before, manager, spec)
    own = fields(toy(spec))
    assert owned(found).get(manager, {}) == own
    changed = compare({"spec": (before or {}).get("spec") or {}}, found, SCHEMA.as_object()).changed
    for other, theirs in owned(found).items():
        if other != manager:
            assert intersect(theirs, changed) == {}


@given(histories, managers, specs)
def test_without_force_no_value_of_another_changes(
    history: list[tuple[str, dict[str, Any]]], manager: str, spec: dict[str, Any]
) -> None:
    live = after(history)
    found = apply(live, toy(spec), writer(manager), SCHEMA, force=False)
    if live is None:
        assert not isinstance(found, Conflicts)
        return
    others = {one: theirs for one, theirs in owned(live).items() if one != manager}
    if isinstance(found, Conflicts):
        assert {one.manager.name for one in found.conflicts} <= others.keys()
        return
    for one, theirs in others.items():
        assert owned(found)[one] == theirs


@given(histories, managers)
def test_who_applies_nothing_owns_nothing_and_leaves_what_others_own(
    history: list[tuple[str, dict[str, Any]]], manager: str
) -> None:
    live = after(history)
    released = forced(live, manager, {})
    assert manager not in owned(released)
    for other, theirs in owned(released).items():
        assert owned(live or {"metadata": {}})[other] == theirs
        assert includes(union(fields(released), theirs), theirs)


@given(histories)
def test_when_all_let_go_nothing_is_left(history: list[tuple[str, dict[str, Any]]]) -> None:
    live = after(history)
    for manager in "xyz":
        live = forced(live, manager, {})
    assert live is not None
    assert fields(live) == {}
    assert owned(live) == {}


# Two owners who never name the same field: one half of the declared ones each.
_HALVES = (("text", "map", "items"), ("whole", "list", "set", "free"))


@given(specs, specs)
def test_disjoint_owners_may_come_in_any_order(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    one = {name: each for name, each in first.items() if name in _HALVES[0]}
    two = {name: each for name, each in second.items() if name in _HALVES[1]}
    results = []
    for order in ([("x", one), ("y", two)], [("y", two), ("x", one)]):
        live: Manifest | None = None
        for manager, spec in order:
            found = apply(live, toy(spec), writer(manager), SCHEMA, force=False)
            assert not isinstance(found, Conflicts)
            live = found
        assert live is not None
        results.append((unordered(live.get("spec")), owned(live)))
    assert results[0] == results[1]


@given(items, items)
def test_owners_of_other_items_of_one_list_may_come_in_any_order(
    first: list[dict[str, Any]], second: list[dict[str, Any]]
) -> None:
    theirs = [{**item, "name": item["name"].upper()} for item in second]
    results = []
    for order in ([("x", first), ("y", theirs)], [("y", theirs), ("x", first)]):
        live = after([(manager, {"items": found}) for manager, found in order])
        assert live is not None
        results.append((unordered(live.get("spec")), owned(live)))
    assert results[0] == results[1]


@given(histories, specs)
def test_an_update_takes_what_it_changes_and_only_that(
    history: list[tuple[str, dict[str, Any]]], spec: dict[str, Any]
) -> None:
    live = after(history) or forced(None, "x", {"text": "1"})
    new = {**toy(spec), "metadata": live["metadata"]}
    tracked = track_update(live, new, writer("editor"), SCHEMA)
    difference = compare(
        {"spec": live["spec"]} if "spec" in live else {},
        {"spec": new["spec"]} if "spec" in new else {},
        SCHEMA.as_object(),
    )
    found = owned({"metadata": {"managedFields": tracked}})
    if not owned(live):
        assert tracked == []
        return
    assert found.get("editor", {}) == difference.changed
    for manager, before in owned(live).items():
        left = subtract(subtract(before, difference.changed), difference.removed)
        assert found.get(manager, {}) == left


@given(histories)
def test_managed_fields_survive_being_written_and_read(
    history: list[tuple[str, dict[str, Any]]],
) -> None:
    live = after(history) or toy({})
    entries = live["metadata"].get("managedFields") or []
    through = json.loads(json.dumps(entries))
    assert write_managers(read_managers(through)) == entries
    assert write_managers(read_sent_managers(through)) == entries
    for entry in entries:
        assert is_field_set(entry["fieldsV1"])
        assert normal(entry["fieldsV1"]) == entry["fieldsV1"]


@given(
    st.recursive(
        st.sampled_from([None, 1, "x", {}, []]),
        lambda inner: st.dictionaries(
            st.sampled_from(["f:a", "k:{}", "k:1", "v:1", "v:", "i:0", "i:x", ".", "a", ""]), inner
        ),
    )
)
def test_whatever_a_client_sends_as_fields_is_read_or_passed_over(sent: Any) -> None:
    entry = {
        "manager": "x",
        "operation": "Apply",
        "apiVersion": "v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": sent,
    }
    for managed in read_sent_managers([entry]).values():
        assert managed.fields
        assert is_field_set(managed.fields)
