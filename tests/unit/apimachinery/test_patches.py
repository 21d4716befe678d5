"""JSON patch, merge patch and strategic merge patch."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.apimachinery import schema
from shared.apimachinery.manifest import GroupVersionKind, copy
from shared.apimachinery.patch import json_patch, merge_patch
from shared.apimachinery.strategic_merge import strategic_merge
from shared.errors import InvalidObject

DEPLOYMENT = schema.builtin(GroupVersionKind("apps", "v1", "Deployment"))
SERVICE = schema.builtin(GroupVersionKind("", "v1", "Service"))
POD = schema.builtin(GroupVersionKind("", "v1", "Pod"))
assert DEPLOYMENT is not None
assert SERVICE is not None
assert POD is not None


def containers(*names: str) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": name, "image": f"{name}:1"} for name in names]}}


def test_a_json_patch_names_the_operation_that_fails() -> None:
    with pytest.raises(InvalidObject, match="operation 1"):
        json_patch(
            {"a": 1},
            [{"op": "replace", "path": "/a", "value": 2}, {"op": "remove", "path": "/b/c"}],
        )


@pytest.mark.parametrize(
    "operations",
    [
        {},
        [{"op": "nonsense", "path": "/a"}],
        [{"path": "/a"}],
        ["x"],
        [{"op": "test", "path": "/a", "value": 9}],
        [{"op": "replace", "path": "", "value": 3}],
        [{"op": "add", "path": "no-slash", "value": 3}],
    ],
)
def test_a_bad_json_patch_is_refused_and_changes_nothing(operations: Any) -> None:
    target = {"a": 1}
    with pytest.raises(InvalidObject):
        json_patch(target, operations)
    assert target == {"a": 1}


def test_copies_cannot_blow_an_object_up() -> None:
    bomb = [{"op": "copy", "from": "/a", "path": f"/a/{letter}"} for letter in "bcdefgh" * 6]
    with pytest.raises(InvalidObject, match="copies may not exceed"):
        json_patch({"a": {"x": "y" * 100}}, bomb)


def test_replacing_an_absent_member_adds_it_as_kubernetes_does() -> None:
    operation = {"op": "replace", "path": "/metadata/labels/a~1b", "value": "1"}
    patched = json_patch({"metadata": {"labels": {}}}, [operation])
    assert patched == {"metadata": {"labels": {"a/b": "1"}}}
    with pytest.raises(InvalidObject):
        json_patch({"metadata": {}}, [operation])


def test_an_operation_is_not_changed_by_those_after_it() -> None:
    operations = [
        {"op": "add", "path": "/a", "value": {}},
        {"op": "add", "path": "/a/b", "value": 1},
    ]
    assert json_patch({}, operations) == {"a": {"b": 1}}
    assert operations[0]["value"] == {}


def test_merge_patch_follows_the_examples_of_rfc_7386() -> None:
    cases: list[tuple[Any, Any, Any]] = [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ]
    for target, patch, expected in cases:
        assert merge_patch(target, patch) == expected


json_values = st.recursive(
    st.one_of(st.none(), st.integers(0, 3), st.sampled_from("xy")),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(json_values, json_values)
def test_a_merge_patch_twice_is_the_same_as_once(target: Any, patch: Any) -> None:
    before = json.dumps(target)
    once = merge_patch(target, patch)
    assert merge_patch(once, patch) == once
    assert json.dumps(target) == before


def test_containers_merge_by_name() -> None:
    patched = strategic_merge(
        containers("a", "b"), {"spec": {"containers": [{"name": "b", "image": "b:2"}]}}, POD
    )
    assert patched["spec"]["containers"] == [
        {"name": "a", "image": "a:1"},
        {"name": "b", "image": "b:2"},
    ]


def test_an_item_is_deleted_by_its_key() -> None:
    patch = {"spec": {"containers": [{"name": "a", "$patch": "delete"}]}}
    patched = strategic_merge(containers("a", "b"), patch, POD)
    assert [each["name"] for each in patched["spec"]["containers"]] == ["b"]


def test_set_element_order_orders_merged_and_new_items() -> None:
    patch = {
        "spec": {
            "$setElementOrder/containers": [{"name": "c"}, {"name": "b"}, {"name": "a"}],
            "containers": [{"name": "c", "image": "c:1"}],
        }
    }
    patched = strategic_merge(containers("a", "b"), patch, POD)
    assert [each["name"] for each in patched["spec"]["containers"]] == ["c", "b", "a"]


def test_a_new_item_takes_the_place_of_a_deleted_one() -> None:
    patch = {
        "spec": {
            "$setElementOrder/containers": [{"name": "c"}],
            "containers": [{"name": "b", "$patch": "delete"}, {"name": "c", "image": "c:1"}],
        }
    }
    patched = strategic_merge(containers("a", "b"), patch, POD)
    assert [each["name"] for each in patched["spec"]["containers"]] == ["a", "c"]


def test_a_patch_list_out_of_its_own_order_is_refused() -> None:
    patch = {
        "spec": {
            "$setElementOrder/containers": [{"name": "a"}, {"name": "b"}],
            "containers": [{"name": "b", "image": "b:2"}, {"name": "a", "image": "a:2"}],
        }
    }
    with pytest.raises(InvalidObject, match="order"):
        strategic_merge(containers("a", "b"), patch, POD)


def test_retained_keys_must_include_what_the_patch_sets() -> None:
    patch = {"spec": {"strategy": {"$retainKeys": ["type"], "rollingUpdate": {}}}}
    with pytest.raises(InvalidObject, match="retainKeys"):
        strategic_merge({"spec": {"strategy": {"type": "Recreate"}}}, patch, DEPLOYMENT)


def test_directives_never_reach_the_object() -> None:
    patch = {"spec": {"nodeSelector": {"$patch": "replace", "a": "1"}, "hostAliases": []}}
    patched = strategic_merge({"spec": {}}, patch, POD)
    assert patched == {"spec": {"hostAliases": []}}


def test_service_ports_merge_by_port() -> None:
    target = {"spec": {"ports": [{"port": 80, "nodePort": 30080}, {"port": 81}]}}
    patched = strategic_merge(target, {"spec": {"ports": [{"port": 80, "name": "http"}]}}, SERVICE)
    assert patched["spec"]["ports"][0] == {"port": 80, "nodePort": 30080, "name": "http"}


def test_a_list_without_a_merge_key_is_replaced() -> None:
    target = {"spec": {"containers": [{"name": "a", "command": ["x", "y"]}]}}
    patch = {"spec": {"containers": [{"name": "a", "command": ["z"]}]}}
    assert strategic_merge(target, patch, POD)["spec"]["containers"][0]["command"] == ["z"]


def test_finalizers_merge_as_a_set_and_can_be_taken_from() -> None:
    target = {"metadata": {"finalizers": ["a", "b"]}}
    added = strategic_merge(target, {"metadata": {"finalizers": ["c"]}}, POD)
    # What the patch names and nobody ordered comes first.
    assert added["metadata"]["finalizers"] == ["c", "a", "b"]
    patch = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["b"]}}
    assert strategic_merge(added, patch, POD)["metadata"]["finalizers"] == ["c", "a"]


def test_retain_keys_drops_the_other_members_of_a_union() -> None:
    target = {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}
    patch = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    assert strategic_merge(target, patch, DEPLOYMENT)["spec"]["strategy"] == {"type": "Recreate"}


def test_null_deletes_and_replace_replaces() -> None:
    target = {"metadata": {"labels": {"a": "1", "b": "2"}}}
    patch = {"metadata": {"labels": {"a": None}}}
    assert strategic_merge(target, patch, POD)["metadata"]["labels"] == {"b": "2"}
    patch = {"metadata": {"labels": {"$patch": "replace", "c": "3"}}}
    assert strategic_merge(target, patch, POD)["metadata"]["labels"] == {"c": "3"}


def test_a_patch_item_without_its_key_is_refused() -> None:
    with pytest.raises(InvalidObject, match="merge key"):
        strategic_merge(containers("a"), {"spec": {"containers": [{"image": "x"}]}}, POD)


@given(st.lists(st.sampled_from("abcde"), unique=True), st.lists(st.sampled_from("abcde")))
def test_a_strategic_merge_changes_nothing_it_was_given(
    first: list[str], second: list[str]
) -> None:
    target, patch = containers(*first), containers(*second)
    before = copy(target), copy(patch)
    strategic_merge(target, patch, POD)
    assert (target, patch) == before
