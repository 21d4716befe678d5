"""Laws of JSON patch, merge patch and strategic merge patch."""

from typing import Any

import jsonpatch
from hypothesis import given
from hypothesis import strategies as st

from shared.apimachinery.manifest import copy
from shared.apimachinery.patch import json_patch, merge_difference, merge_patch
from shared.apimachinery.schema import node
from shared.apimachinery.strategic_merge import strategic_merge

names = st.sampled_from(["a", "b", "a/b", "~", ""])
values = st.recursive(
    st.one_of(st.booleans(), st.integers(0, 3), st.sampled_from("xy")),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=3)),
    max_leaves=8,
)
objects = st.dictionaries(names, values, max_size=4)

_TEXT = {"type": "string"}
SCHEMA = node(
    {
        "type": "object",
        "properties": {
            "map": {"type": "object", "additionalProperties": _TEXT},
            "words": {"type": "array", "items": _TEXT, "x-kubernetes-patch-strategy": "merge"},
            "items": {
                "type": "array",
                "x-kubernetes-patch-strategy": "merge",
                "x-kubernetes-patch-merge-key": "name",
                "items": {"type": "object", "properties": {"name": _TEXT, "value": _TEXT}},
            },
        },
    }
)
words = st.lists(st.sampled_from("abcd"), unique=True, max_size=4)
items = st.lists(
    st.fixed_dictionaries({"name": st.sampled_from("abcd")}, optional={"value": st.text("12")}),
    unique_by=lambda item: item["name"],
    max_size=4,
)
things = st.fixed_dictionaries(
    {},
    optional={
        "map": st.dictionaries(st.sampled_from("abc"), st.sampled_from("12"), max_size=3),
        "words": words,
        "items": items,
    },
)


@given(objects, objects)
def test_the_difference_that_a_reference_finds_leads_from_one_to_the_other(
    source: dict[str, Any], target: dict[str, Any]
) -> None:
    operations = jsonpatch.make_patch(source, target).patch
    assert json_patch(source, operations) == target


@given(objects, objects)
def test_a_merge_patch_leads_from_one_to_the_other(
    source: dict[str, Any], target: dict[str, Any]
) -> None:
    assert merge_patch(source, merge_difference(source, target)) == target


@given(objects, objects, objects)
def test_merge_patches_one_after_the_other_are_the_second_where_they_meet(
    source: dict[str, Any], first: dict[str, Any], second: dict[str, Any]
) -> None:
    found = merge_patch(merge_patch(source, first), second)
    assert {name: found[name] for name in second if not isinstance(second[name], dict)} == {
        name: value for name, value in second.items() if not isinstance(value, dict)
    }


@given(things, things)
def test_a_strategic_patch_twice_is_the_same_as_once(
    target: dict[str, Any], patch: dict[str, Any]
) -> None:
    before = copy(target), copy(patch)
    once = strategic_merge(target, patch, SCHEMA)
    assert strategic_merge(once, patch, SCHEMA) == once
    assert (target, patch) == before


@given(things, things)
def test_a_strategic_patch_without_directives_loses_no_item(
    target: dict[str, Any], patch: dict[str, Any]
) -> None:
    found = strategic_merge(target, patch, SCHEMA)
    for name in ("words", "items"):
        if name not in found:
            assert name not in target
            assert name not in patch
            continue
        key = (lambda item: item["name"]) if name == "items" else (lambda item: item)
        kept = [key(item) for item in found[name]]
        assert len(kept) == len(set(kept))
        assert set(kept) == {key(item) for part in (target, patch) for item in part.get(name, [])}


@given(st.dictionaries(names, st.one_of(st.none(), st.integers(0, 3))), objects)
def test_where_no_list_merges_a_strategic_patch_is_a_merge_patch(
    patch: dict[str, Any], target: dict[str, Any]
) -> None:
    assert strategic_merge(target, patch, node({})) == merge_patch(target, patch)


@given(items, items, st.permutations("abcd"))
def test_the_order_that_a_patch_sets_is_the_order_of_the_result(
    old: list[dict[str, Any]], new: list[dict[str, Any]], order: list[str]
) -> None:
    sent = sorted(new, key=lambda item: order.index(item["name"]))
    patch = {"$setElementOrder/items": [{"name": name} for name in order], "items": sent}
    found = strategic_merge({"items": old}, patch, SCHEMA)["items"]
    places = [order.index(item["name"]) for item in found]
    assert places == sorted(places)


@given(items, st.sampled_from("abcd"))
def test_a_deleted_item_is_gone_and_no_other(old: list[dict[str, Any]], name: str) -> None:
    patch = {"items": [{"name": name, "$patch": "delete"}]}
    found = strategic_merge({"items": old}, patch, SCHEMA)["items"]
    assert found == [item for item in old if item["name"] != name]


@given(words, words)
def test_words_are_taken_out_of_a_set(old: list[str], gone: list[str]) -> None:
    patch = {"$deleteFromPrimitiveList/words": gone}
    found = strategic_merge({"words": old}, patch, SCHEMA)["words"]
    assert found == [word for word in old if word not in gone]
