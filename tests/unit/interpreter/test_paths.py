"""Paths as interpreters declare them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.apimachinery.manifest import copy
from shared.interpreter.paths import ANY, parse_path, put, value_at, values_at, without


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("spec.replicas", ("spec", "replicas")),
        (".spec.replicas", ("spec", "replicas")),
        ("spec.tasks[*].name", ("spec", "tasks", ANY, "name")),
        ("spec.groups.*.size", ("spec", "groups", ANY, "size")),
        ('metadata.labels["example.com/a"].x', ("metadata", "labels", "example.com/a", "x")),
        ("metadata.labels['a.b']", ("metadata", "labels", "a.b")),
    ],
)
def test_a_path_is_its_steps(text, steps):
    assert parse_path(text) == steps


@pytest.mark.parametrize("text", ["", ".", "spec.", "spec..a", "a[0]", "a[", "a['b", "1a", "a b"])
def test_what_is_no_path_is_refused(text):
    with pytest.raises(ValueError, match=r"path"):
        parse_path(text)


def test_a_place_must_be_one():
    with pytest.raises(ValueError, match="one place"):
        parse_path("a[*]", single=True)


STEPS = st.lists(st.sampled_from(["a", "b", ANY]), min_size=1, max_size=4)
JSON = st.recursive(
    st.none() | st.integers(0, 3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2)
    ),
    max_leaves=10,
)
OBJECTS = st.dictionaries(st.sampled_from(["a", "b"]), JSON, max_size=2)


@given(OBJECTS, STEPS, STEPS)
def test_what_is_taken_out_is_gone_and_nothing_else(manifest, path, other) -> None:
    before = copy(manifest)
    left = without(manifest, [path])
    assert manifest == before
    assert not list(values_at(left, path))
    assert without(left, [path]) == left
    if other[0] != path[0] and ANY not in (other[0], path[0]):
        assert list(values_at(left, other)) == list(values_at(manifest, other))


@given(OBJECTS, st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=4), st.integers())
def test_what_is_put_is_there(manifest, path, value) -> None:
    put(manifest, path, value)
    assert value_at(manifest, path) == value
