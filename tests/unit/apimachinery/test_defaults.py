"""Defaults are filled in once, and what a client only gives back is told from what it says."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.apimachinery.defaults import (
    DEFAULTED,
    as_a_cluster_shows,
    with_defaults,
    without_defaults,
)
from shared.apimachinery.manifest import GroupResource, Manifest, copy
from shared.apimachinery.schema import node

POD = {
    "containers": [
        {
            "name": "a",
            "image": "example/a",
            "ports": [{"containerPort": 80}],
            "livenessProbe": {"grpc": {"port": 80}},
            "env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        }
    ],
    "volumes": [
        {"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}},
        {"name": "e"},
    ],
}
SPECS: list[dict[str, Any]] = [
    {},
    {"template": {"spec": POD}, "replicas": 3},
    {"template": {"spec": POD}, "strategy": {"type": "Recreate"}},
    {"jobTemplate": {"spec": {"template": {"spec": POD}}}},
    {"ports": [{"port": 80}], "type": "LoadBalancer"},
    {"ingress": [{"ports": [{"port": 80}]}], "egress": [{}]},
    POD,
]


@pytest.mark.parametrize("resource", sorted(DEFAULTED))
@pytest.mark.parametrize("spec", SPECS)
def test_filling_in_twice_is_filling_in_once(resource: GroupResource, spec: dict[str, Any]) -> None:
    manifest: Manifest = {"kind": "X", "spec": spec}
    before = copy(manifest)
    filled = with_defaults(resource, manifest)
    assert with_defaults(resource, filled) == filled
    assert manifest == before
    assert without_defaults(filled, manifest, filled) == manifest


def test_items_with_keys_are_compared_with_what_they_were_wherever_they_are() -> None:
    keyed = {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"]}
    schema = node({"type": "object", "properties": {"list": keyed}})
    said = {"list": [{"k": "a"}, {"k": "b", "pull": "Always"}]}
    seen = {"list": [{"k": "a", "pull": "Always"}, {"k": "b", "pull": "Always", "wait": 1}]}
    first, second = seen["list"]
    new = {"list": [second, {"k": "c", "wait": 1}, first]}
    left = {"list": [{"k": "b", "pull": "Always"}, {"k": "c", "wait": 1}, {"k": "a"}]}
    assert without_defaults(seen, said, new, schema) == left


def test_a_kind_without_defaults_is_left_as_it_is() -> None:
    manifest: Manifest = {"kind": "ConfigMap", "data": {}}
    assert with_defaults(GroupResource("", "configmaps"), manifest) is manifest


def test_a_projected_token_says_how_long_it_lasts() -> None:
    filled = with_defaults(GroupResource("", "pods"), {"spec": POD})
    (source,) = filled["spec"]["volumes"][0]["projected"]["sources"]
    assert source == {"serviceAccountToken": {"path": "t", "expirationSeconds": 3600}}
    assert filled["spec"]["volumes"][1] == {"name": "e", "emptyDir": {}}


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=12,
)


@given(stored=st.dictionaries(st.text(max_size=2), _JSON), new=st.dictionaries(st.text(), _JSON))
def test_where_nothing_was_added_nothing_is_taken_away(
    stored: dict[str, Any], new: dict[str, Any]
) -> None:
    assert without_defaults(stored, stored, new) == new


def test_what_a_status_says_stays_and_what_it_leaves_out_is_zero() -> None:
    sets = GroupResource("apps", "statefulsets")
    manifest: Manifest = {"kind": "StatefulSet", "spec": {}, "status": {"replicas": 2}}
    shown = as_a_cluster_shows(sets, manifest)
    assert shown["status"] == {"replicas": 2, "availableReplicas": 0}
    assert as_a_cluster_shows(sets, shown) == shown
    assert manifest["status"] == {"replicas": 2}
    maps: Manifest = {"kind": "ConfigMap", "data": {}}
    assert as_a_cluster_shows(GroupResource("", "configmaps"), maps) is maps
