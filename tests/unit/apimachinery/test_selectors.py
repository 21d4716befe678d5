"""Selectors read and match as those of Kubernetes do."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.api.selection import LabelSelector, LabelSelectorRequirement
from shared.apimachinery.selectors import (
    from_manifest,
    from_map,
    from_struct,
    parse_field_selector,
    parse_label_selector,
)


@pytest.mark.parametrize(
    ("query", "labels", "matches"),
    [
        ("", {}, True),
        ("  ", {"a": "b"}, True),
        ("a=b", {"a": "b"}, True),
        ("a==b", {"a": "b"}, True),
        ("a = b", {"a": "c"}, False),
        ("a=", {"a": ""}, True),
        ("a=", {}, False),
        ("a!=b", {}, True),
        ("a!=b", {"a": "b"}, False),
        ("a in (x, y)", {"a": "y"}, True),
        ("a in (x,y)", {}, False),
        ("a in (,x)", {"a": ""}, True),
        ("a notin (x,y)", {}, True),
        ("a notin (x,y)", {"a": "x"}, False),
        ("a", {"a": "whatever"}, True),
        ("a", {}, False),
        ("!a", {}, True),
        ("! a", {"a": "b"}, False),
        ("a>3", {"a": "4"}, True),
        ("a<3", {"a": "4"}, False),
        ("a>3", {"a": "many"}, False),
        ("in in (in,notin)", {"in": "notin"}, True),
        (
            "app.kubernetes.io/name=web,tier in (a,b),!gone,x!=y",
            {"app.kubernetes.io/name": "web", "tier": "b"},
            True,
        ),
        (
            "app.kubernetes.io/name=web,tier in (a,b),!gone,x!=y",
            {"app.kubernetes.io/name": "web", "tier": "b", "x": "y"},
            False,
        ),
    ],
)
def test_a_query_matches_as_in_kubernetes(query, labels, matches):
    assert parse_label_selector(query).matches(labels) is matches


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("a=b,", "a label key after ','"),
        (",a", "expected a label key"),
        ("a b", "one of =, =="),
        ("a in x", r"expected '\('"),
        ("a in (x", r"expected ',' or '\)'"),
        ("a=b c", "',' or the end"),
        ("!", "a label key after '!'"),
        ("a>x", "exactly one integer"),
        ("-a=b", "begin and end with a letter or digit"),
        ("a=-b", "label value '-b'"),
        ("A_b.c/d=e", "no DNS subdomain"),
        ("a/b/c=d", "no DNS subdomain"),
        ("a=" + "x" * 64, "up to 63"),
    ],
)
def test_a_malformed_query_is_refused_saying_what_was_expected(query, message):
    with pytest.raises(ValueError, match=message):
        parse_label_selector(query)


@given(st.text(max_size=30))
def test_no_text_raises_anything_but_a_value_error(text):
    for parse in (parse_label_selector, parse_field_selector):
        with suppress(ValueError):
            assert parse(text).requirements is not None


def test_structs_and_manifests_say_the_same():
    struct = LabelSelector(
        match_labels={"app": "web"},
        match_expressions=(
            LabelSelectorRequirement(key="tier", operator="NotIn", values=("gold",)),
            LabelSelectorRequirement(key="region", operator="Exists"),
        ),
    )
    manifest = {
        "matchLabels": {"app": "web"},
        "matchExpressions": [
            {"key": "tier", "operator": "NotIn", "values": ["gold"]},
            {"key": "region", "operator": "Exists"},
        ],
    }
    assert from_struct(struct) == from_manifest(manifest)
    assert from_manifest(manifest).matches({"app": "web", "region": "north"})
    assert not from_manifest(manifest).matches({"app": "web", "region": "north", "tier": "gold"})
    assert from_map({"app": "web"}).matches({"app": "web", "more": "x"})


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ({"matchExpressions": [{"key": "a", "operator": "In"}]}, "values are required"),
        (
            {"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["x"]}]},
            "not allowed",
        ),
        ({"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["1"]}]}, "not one of In"),
        ({"matchExpressions": [{"operator": "Exists"}]}, "label key ''"),
        ({"matchExpressions": ["x"]}, "must be an object"),
        ({"matchLabels": ["x"]}, "must be an object"),
    ],
)
def test_a_malformed_selector_object_is_refused(manifest, message):
    with pytest.raises(ValueError, match=message):
        from_manifest(manifest)


POD = {"metadata": {"name": "web-1", "namespace": "shop"}, "spec": {"hostNetwork": True, "n": 3}}


@pytest.mark.parametrize(
    ("query", "matches"),
    [
        ("", True),
        ("metadata.name=web-1", True),
        ("metadata.name==web-1,metadata.namespace!=other", True),
        ("metadata.name!=web-1", False),
        ("spec.hostNetwork=true,spec.n=3", True),
        ("status.phase=", True),
        ("status.phase=Running", False),
        ("metadata.name=web-1,", True),
    ],
)
def test_fields_match_by_their_text(query, matches):
    assert parse_field_selector(query).matches(POD) is matches


def test_escaped_characters_belong_to_the_value():
    selector = parse_field_selector(r"reason=a\,b\=c\\d,metadata.name=x")
    assert selector.exact("reason") == r"a,b=c\d"
    assert selector.exact("metadata.name") == "x"
    assert parse_field_selector("metadata.name!=x").exact("metadata.name") is None


@pytest.mark.parametrize("query", ["metadata.name", "=x", "a=b=c", "a=\\x", "a=b\\"])
def test_a_malformed_field_selector_is_refused(query):
    with pytest.raises(ValueError, match=r"invalid (field )?selector"):
        parse_field_selector(query)
