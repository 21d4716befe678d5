"""Sets of fields: the laws of sets, and the text that errors print."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.apimachinery.field_sets import (
    FieldSet,
    includes,
    intersect,
    paths,
    subtract,
    union,
    with_named_fields,
)
from shared.apimachinery.managed_fields import read_managers, write_managers
from shared.apimachinery.schema import node

Path = tuple[str, ...]
steps = st.sampled_from(["f:a", "f:b", 'k:{"name":"x"}', 'v:"y"'])
path_sets = st.frozensets(st.lists(steps, min_size=1, max_size=3).map(tuple), max_size=8)


def as_fields(members: frozenset[Path]) -> FieldSet:
    """Build the tree of a set of paths the slow and plain way."""
    tree: dict[str, Any] = {}
    for path in members:
        place = tree
        for step in path:
            place = place.setdefault(step, {})
        place["."] = {}
    return _simplified(tree)


def _simplified(tree: dict[str, Any]) -> FieldSet:
    found: FieldSet = {}
    for step, below in tree.items():
        if step == ".":
            found[step] = {}
        else:
            found[step] = {} if below.keys() == {"."} else _simplified(below)
    return found


@given(path_sets, path_sets)
def test_trees_follow_the_laws_of_sets(first: frozenset[Path], second: frozenset[Path]) -> None:
    one, two = as_fields(first), as_fields(second)
    assert union(one, two) == as_fields(first | second)
    assert intersect(one, two) == as_fields(first & second)
    assert subtract(one, two) == as_fields(first - second)
    assert includes(one, two) is (second <= first)


@given(path_sets)
def test_every_member_has_one_path(members: frozenset[Path]) -> None:
    found = list(paths(as_fields(members)))
    assert len(found) == len(set(found)) == len(members)


def test_paths_read_as_kubectl_prints_them() -> None:
    fields = {
        "f:spec": {
            "f:containers": {'k:{"name":"web"}': {".": {}, "f:image": {}}},
            "f:ports": {'k:{"port":80,"protocol":"TCP"}': {}},
            "f:finalizers": {'v:"x/y"': {}},
        }
    }
    assert list(paths(fields)) == [
        '.spec.containers[name="web"]',
        '.spec.containers[name="web"].image',
        '.spec.finalizers[="x/y"]',
        '.spec.ports[port=80,protocol="TCP"]',
    ]


def test_a_declared_field_counts_as_soon_as_a_part_of_it_does() -> None:
    schema = node(
        {
            "type": "object",
            "properties": {
                "struct": {"type": "object", "properties": {"x": {"type": "string"}}},
                "map": {"type": "object", "additionalProperties": {"type": "object"}},
            },
        }
    )
    fields = {"f:struct": {"f:x": {}}, "f:map": {"f:key": {"f:y": {}}}}
    assert with_named_fields(fields, schema) == {
        "f:struct": {".": {}, "f:x": {}},
        "f:map": {".": {}, "f:key": {"f:y": {}}},
    }


@given(path_sets, st.sampled_from(["Apply", "Update"]), st.sampled_from(["", "status"]))
def test_managed_fields_survive_reading_and_writing(
    members: frozenset[Path], operation: str, subresource: str
) -> None:
    entry = {
        "manager": "me",
        "operation": operation,
        "apiVersion": "v1",
        "time": "2026-01-01T00:00:00Z",
        "fieldsType": "FieldsV1",
        "fieldsV1": as_fields(members),
        **({"subresource": subresource} if subresource else {}),
    }
    assert write_managers(read_managers([entry])) == [entry]
