"""A preview is what dispatch would order, and tells what each rule changed."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from services.propagator.core.overrides import OverrideFailure
from services.propagator.core.preview import differences, preview
from services.propagator.core.rendering import render_for
from shared.api.binding import Share
from shared.apimachinery.manifest import copy
from shared.apimachinery.patch import apply_operation
from shared.events.rendering import ClusterRendering, FieldChange
from shared.interpreter.registry import BUILT_IN
from tests.overriding import EU, a_deployment, policy

LABEL = {"labelsOverrider": [{"operator": "add", "value": {"region": "${cluster.region}"}}]}
NOTHING = {"labelsOverrider": [{"operator": "replace", "value": {"absent": "x"}}]}
WRONG = {"plaintext": [{"path": "/spec/none", "operator": "remove"}]}


def shown(*rules: Any, **spec: Any) -> ClusterRendering:
    return preview(
        EU,
        a_deployment(),
        BUILT_IN.of(a_deployment()),
        Share(3),
        overrides=policy(*rules, namespace="shop", **spec).overrides,
        uid="u",
        decided=True,
    )


def test_the_manifest_is_the_one_that_is_ordered() -> None:
    ordered = render_for(
        EU,
        a_deployment(),
        BUILT_IN.of(a_deployment()),
        Share(3),
        overrides=policy(LABEL, namespace="shop").overrides,
        uid="u",
    )
    assert not isinstance(ordered, OverrideFailure)
    assert shown(LABEL).manifest == ordered


def test_each_rule_tells_what_it_changed() -> None:
    found = shown(LABEL, NOTHING)
    assert [(one.kind, one.namespace, one.policy, one.rule) for one in found.rules] == [
        ("OverridePolicy", "shop", "p", "overrideRules[0]"),
        ("OverridePolicy", "shop", "p", "overrideRules[1]"),
    ]
    assert found.rules[0].changes == (FieldChange(path="/metadata/labels/region", after="europe"),)
    assert found.rules[1].changes == ()


def test_a_rule_that_fails_ends_it() -> None:
    found = shown(LABEL, WRONG, LABEL)
    assert found.manifest is None
    assert found.error.startswith("OverridePolicy shop/p: overrideRules[1]: plaintext[0]: ")
    assert [one.rule for one in found.rules] == ["overrideRules[0]"]


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ({"a": 1, "b": 2}, {"b": 3, "c/d": 4}, [("-", "/a"), ("~", "/b"), ("+", "/c~1d")]),
        ({"a": [1, 2, 3]}, {"a": [1, 3]}, [("-", "/a/1")]),
        ({"a": [1, 3]}, {"a": [0, 1, 3]}, [("+", "/a/0")]),
        ({"a": [{"x": 1}, {"y": 2}]}, {"a": [{"x": 1}, {"y": 3}]}, [("~", "/a/1/y")]),
        ({"a": True}, {"a": 1}, [("~", "/a")]),
        ({"a": {}}, {"a": []}, [("~", "/a")]),
        ({"a": None}, {}, [("-", "/a")]),
    ],
)
def test_the_smallest_parts_are_told(before: Any, after: Any, changes: list[Any]) -> None:
    assert [(_sign(one), one.path) for one in differences(before, after)] == changes


def _sign(change: FieldChange) -> str:
    if change.before is UNSET:
        return "+"
    return "-" if change.after is UNSET else "~"


values = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["", "a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("a/~", max_size=2), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text("a/~", max_size=2), values), st.data())
def test_the_changes_lead_from_one_value_to_the_other(before: Any, data: st.DataObject) -> None:
    after = data.draw(st.dictionaries(st.text("a/~", max_size=2), values))
    document = copy(before)
    # What is taken out of a list is told by where it was: the last is taken out first.
    found = list(differences(before, after))
    removed = [one for one in found if one.after is UNSET]
    for one in (*(one for one in found if one.after is not UNSET), *reversed(removed)):
        operation = {"+": "add", "-": "remove", "~": "replace"}[_sign(one)]
        apply_operation(document, {"op": operation, "path": one.path, "value": one.after})
    assert document == after
    assert list(differences(after, after)) == []
