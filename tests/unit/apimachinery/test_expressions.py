"""Expressions that stand alone: whatever is written, and whatever they are shown."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.apimachinery.cel.expression import Expression, ExpressionFailed


def evaluate(text, **variables):
    return Expression(text, variables).evaluate(variables)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("object.a + 1", 2),
        ("object.?b.?c.orValue('none')", "none"),
        ("{'a': [object.a, null, 'x'], 'b': {'c': 1.5}}", {"a": [1, None, "x"], "b": {"c": 1.5}}),
        ("object.list.filter(x, x > 1).map(x, x * 2)", [4, 6]),
        ("object", {"a": 1, "list": [1, 2, 3]}),
        ("quantity('1500m').asApproximateFloat()", 1.5),
    ],
)
def test_it_says_plain_data(text, expected):
    assert evaluate(text, object={"a": 1, "list": [1, 2, 3]}) == expected


@pytest.mark.parametrize(
    "text",
    [
        "quantity('1')",
        "timestamp('2026-01-01T00:00:00Z')",
        "duration('1h')",
        "b'x'",
        "type(1)",
        "optional.of(1)",
        "optional.none()",
        "1.0 / 0.0",
        "{1: 2}",
        "[duration('1h')]",
        "object.b",
        "object.a.c",
        "object.list[7]",
        "object.a + 'x'",
        "1 / 0",
    ],
)
def test_what_is_no_data_is_a_failure(text):
    with pytest.raises(ExpressionFailed, match=r"."):
        evaluate(text, object={"a": 1, "list": [1]})


@pytest.mark.parametrize("text", ["", "(" * 2_000, "a" * 4_097, "object.", "other", "1 +", "\x00"])
def test_what_does_not_compile_says_so(text):
    with pytest.raises(ExpressionFailed):
        Expression(text, ["object"])


PIECES = st.sampled_from(
    [
        *("object", ".a", ".?b", "[0]", "(", ")", "1", "'x'", " + ", " == ", " && ", ".map(x, x)"),
        *("true", "null", "{", "}", ": ", "[", "]", ", ", ".orValue(1)", "size(", "x"),
        ".exists(x, ",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "c"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.lists(PIECES, max_size=12).map("".join) | st.text(max_size=20), JSON)
def test_whatever_is_written_is_data_or_a_failure(text, value) -> None:
    try:
        found = evaluate(text, object=value)
    except ExpressionFailed:
        return
    json.dumps(found, allow_nan=False)
