"""Laws of pruning, defaulting and judging, over random schemas and random objects."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.apimachinery.correlation import is_equal
from shared.apimachinery.pruning import with_defaults, without_unknown
from shared.apimachinery.schema import Schema
from shared.apimachinery.validation import validate
from shared.apiserver.definitions.schemas import check_schema

NAMES = st.sampled_from(["a", "b", "c"])
SCALARS = {
    "string": st.sampled_from(["", "x", "yy"]),
    "integer": st.integers(-3, 3),
    "boolean": st.booleans(),
}


@st.composite
def scalars(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(sorted(SCALARS)))
    found: dict[str, Any] = {"type": kind}
    if draw(st.booleans()):
        found["default"] = draw(SCALARS[kind])
    if draw(st.booleans()):
        found["nullable"] = True
    if kind == "integer" and "default" not in found and draw(st.booleans()):
        found["maximum"] = draw(st.integers(-2, 2))
    return found


def objects(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    properties = st.dictionaries(NAMES, inner, max_size=3)
    return st.one_of(
        properties.map(lambda found: {"type": "object", "properties": found}),
        properties.map(lambda found: {"type": "object", "properties": found, "default": {}}),
        properties.map(
            lambda found: {
                "type": "object",
                "properties": found,
                "x-kubernetes-preserve-unknown-fields": True,
            }
        ),
        inner.map(lambda found: {"type": "array", "items": found}),
        inner.map(lambda found: {"type": "object", "additionalProperties": found}),
    )


SCHEMAS = st.recursive(scalars(), objects, max_leaves=6).map(
    lambda inner: {"type": "object", "properties": {"spec": inner}}
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.sampled_from(["spec", "more"]), VALUES, max_size=2)


@settings(deadline=None)
@given(SCHEMAS, OBJECTS)
def test_pruning_twice_is_pruning_once(raw: dict[str, Any], manifest: dict[str, Any]) -> None:
    schema = Schema(raw)
    pruned = without_unknown(manifest, schema)
    assert is_equal(without_unknown(pruned, schema), pruned)
    assert validate(pruned, schema).unknown == []


@settings(deadline=None)
@given(SCHEMAS, OBJECTS)
def test_defaulting_twice_is_defaulting_once(raw: dict[str, Any], manifest: dict[str, Any]) -> None:
    schema = Schema(raw)
    filled = with_defaults(without_unknown(manifest, schema), schema)
    assert is_equal(with_defaults(filled, schema), filled)
    assert is_equal(without_unknown(filled, schema), filled)


@settings(deadline=None)
@given(SCHEMAS, OBJECTS)
def test_a_default_is_never_the_fault(raw: dict[str, Any], manifest: dict[str, Any]) -> None:
    if check_schema(raw, "schema", has_status=False):
        return
    schema = Schema(raw)
    pruned = without_unknown(manifest, schema)
    before = {fault.path for fault in validate(pruned, schema).faults}
    after = {fault.path for fault in validate(with_defaults(pruned, schema), schema).faults}
    assert after <= before


@settings(deadline=None)
@given(SCHEMAS, OBJECTS, OBJECTS)
def test_what_stays_is_not_judged_and_what_changes_is(
    raw: dict[str, Any], old: dict[str, Any], new: dict[str, Any]
) -> None:
    schema = Schema(raw)
    assert validate(old, schema, old).faults == []
    whole = [str(fault) for fault in validate(new, schema).faults]
    changed = [str(fault) for fault in validate(new, schema, old).faults]
    assert set(changed) <= set(whole)
    if not is_equal(old.get("spec"), new.get("spec")) and not isinstance(old.get("spec"), dict):
        assert changed == whole
