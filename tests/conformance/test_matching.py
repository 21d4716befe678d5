"""Expectations fail where they should: each pair is right once and wrong once."""

from pathlib import Path
from typing import Any

import pytest

from tests.conformance.matching import (
    Absent,
    Anything,
    Contains,
    Exactly,
    Lacks,
    Length,
    Not,
    Pattern,
    mismatches,
)
from tests.conformance.script import read_cases


@pytest.mark.parametrize(
    ("expected", "right", "wrong"),
    [
        (1, 1, 2),
        (1, 1, True),
        (None, None, 0),
        ({"a": 1}, {"a": 1, "b": 2}, {"b": 2}),
        ({"a": Anything()}, {"a": None}, {}),
        ({"a": Absent()}, {"b": 1}, {"a": None}),
        ([1, 2], [1, 2], [1, 2, 3]),
        ([{"a": 1}], [{"a": 1, "b": 1}], [{"a": 2}]),
        (Pattern("^a.c$"), "abc", "abcd"),
        (Pattern("a"), "a", 1),
        (Contains([{"a": 1}]), [{"b": 1}, {"a": 1}], [{"b": 1}]),
        (Contains("bc"), "abcd", "acbd"),
        (Lacks([{"a": 1}]), [{"b": 1}], [{"b": 1}, {"a": 1}]),
        (Lacks("bc"), "acbd", "abcd"),
        (Exactly({"a": 1}), {"a": 1}, {"a": 1, "b": 1}),
        (Length(2), [1, 2], [1]),
        (Not(1), 2, 1),
        ({"a": Not(Pattern("x"))}, {"a": "y"}, {"a": "x"}),
    ],
)
def test_an_expectation_tells_right_from_wrong(expected: Any, right: Any, wrong: Any) -> None:
    assert list(mismatches(expected, right)) == []
    assert list(mismatches(expected, wrong)) != []


def test_a_long_text_is_given_by_its_length(tmp_path: Path) -> None:
    step = "{post: /x, body: {a: !letters 5 }}"
    text = f"subject: sizes\ncases:\n- name: one\n  steps:\n  - {step}\n"
    (tmp_path / "sizes.yaml").write_text(text)
    (case,) = read_cases(tmp_path)
    assert case.steps[0].body == {"a": "xxxxx"}
