"""What is made to be costly: it is bounded, and it is told so."""

import pytest

from shared.apimachinery import short_cache
from shared.apimachinery.manifest import DEPTH_MAX, is_too_deep
from shared.apimachinery.patch import json_patch
from shared.apimachinery.pruning import DEFAULTED_BYTES_MAX, with_defaults
from shared.apimachinery.schema import ANYTHING, Schema, node
from shared.apimachinery.short_cache import cached_when_short
from shared.apimachinery.strategic_merge import strategic_merge
from shared.apimachinery.validation import TRIED_MAX, validate
from shared.errors import InvalidObject

NAMED = node(
    {
        "type": "object",
        "properties": {
            "items": {
                "type": "array",
                "x-kubernetes-patch-strategy": "merge",
                "x-kubernetes-patch-merge-key": "name",
                "items": {"type": "object", "properties": {"name": {"type": "string"}}},
            },
            "words": {"type": "array", "x-kubernetes-patch-strategy": "merge", "items": {}},
        },
    }
)


def nested(depth: int) -> dict[str, object]:
    found: dict[str, object] = {}
    for _ in range(depth - 1):
        found = {"a": found}
    return found


def test_depth_is_counted_in_objects_and_lists() -> None:
    assert not is_too_deep(nested(DEPTH_MAX))
    assert not is_too_deep([[1]] * 10_000)
    assert not is_too_deep("[" * 10_000)
    assert is_too_deep(nested(DEPTH_MAX + 2))
    assert is_too_deep({"x": [nested(DEPTH_MAX + 1)]})


@pytest.mark.parametrize("steps", [3, 40])
def test_a_json_patch_builds_nothing_deep(steps: int) -> None:
    operations = [
        {"op": "add", "path": "/u" + "/a" * 100 * step, "value": nested(101)}
        for step in range(steps)
    ]
    with pytest.raises(InvalidObject, match=r"deep|does not apply|recursion"):
        json_patch({}, operations)


@pytest.mark.parametrize("index", ["0x", "00", "9" * 5_000, "-1", "٣", "+1", ""])
@pytest.mark.parametrize("op", ["add", "replace", "remove", "test"])
def test_an_odd_index_is_refused(index: str, op: str) -> None:
    operation = {"op": op, "path": f"/list/{index}", "value": "y"}
    with pytest.raises(InvalidObject, match="operation 0"):
        json_patch({"list": ["x"]}, [operation])


def test_lists_of_anything_merge() -> None:
    merged = strategic_merge({"words": [["a"], 1]}, {"words": [["a"], ["b"], None]}, NAMED)
    assert sorted(map(str, merged["words"])) == ["1", "None", "['a']", "['b']"]
    items = [{"$patch": "replace"}, 5, {"name": "b"}]
    with pytest.raises(InvalidObject, match="element types are not identical"):
        strategic_merge({"items": [{"name": "a"}]}, {"items": items}, NAMED)


def test_long_lists_merge_in_one_pass() -> None:
    """A hundred thousand items, each compared with each, would take an hour."""
    count = 100_000
    old = {"items": [{"name": f"n{number}"} for number in range(count)]}
    more = {"items": [{"name": f"n{number}", "value": 1} for number in range(1, count + 1)]}
    merged = strategic_merge(old, more, NAMED)
    assert len(merged["items"]) == count + 1
    gone = {"items": [{"name": f"n{number}", "$patch": "delete"} for number in range(1, count)]}
    assert strategic_merge(old, gone, NAMED) == {"items": [{"name": "n0"}]}
    words = {"words": [str(number) for number in range(count)]}
    left = strategic_merge(words, {"$deleteFromPrimitiveList/words": words["words"]}, NAMED)
    assert left == {"words": []}


def test_defaults_do_not_multiply_without_end() -> None:
    schema = node(
        {
            "type": "object",
            "properties": {
                "list": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {"text": {"type": "string", "default": "x" * 1_024}},
                    },
                }
            },
        }
    )
    fits = DEFAULTED_BYTES_MAX // 1_100
    assert len(with_defaults({"list": [{}] * fits}, schema)["list"]) == fits
    with pytest.raises(InvalidObject, match="defaults would add"):
        with_defaults({"list": [{}] * 10 * fits}, schema)


def test_alternatives_are_not_tried_for_ever() -> None:
    parts = [{"minLength": 5, "maxLength": 4} for _ in range(TRIED_MAX // 50)]
    items = {"type": "string", "anyOf": [*parts, {"minLength": 1}]}
    schema = node({"type": "object", "properties": {"s": {"type": "array", "items": items}}})
    assert validate({"s": ["fits"] * 10}, schema).faults == []
    (fault, *_) = validate({"s": ["fits"] * 1_000}, schema).faults
    assert "s[49]" in fault.message


def test_a_long_choice_is_told_in_part() -> None:
    choices = [f"choice-{number}" for number in range(10_000)]
    schema = Schema({"type": "object", "properties": {"s": {"type": "string", "enum": choices}}})
    (fault,) = validate({"s": "other"}, schema).faults
    assert "choice-0" in fault.message
    assert "more" in fault.message
    assert len(fault.message) < 10_000


def test_long_texts_are_not_kept() -> None:
    read: list[str] = []

    @cached_when_short(4)
    def length(text: str) -> int:
        read.append(text)
        return len(text)

    short, long = "x" * short_cache.CHARACTERS_MAX, "x" * (short_cache.CHARACTERS_MAX + 1)
    assert [length(short), length(short)] == [len(short)] * 2
    assert [length(long), length(long)] == [len(long)] * 2
    assert read == [short, long, long]


def test_a_schema_of_anything_has_no_defaults() -> None:
    assert with_defaults({"a": 1}, ANYTHING) == {"a": 1}
