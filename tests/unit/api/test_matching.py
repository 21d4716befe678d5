"""Selectors of policies cover what their authors mean."""

import pytest

from shared.api.cluster import Cluster, ClusterSpec
from shared.api.matching import Match, covers, match_resource
from shared.api.meta import ObjectMeta
from shared.api.selection import (
    ClusterAffinity,
    FieldRequirement,
    FieldSelector,
    LabelSelector,
    ResourceSelector,
)
from shared.errors import InvalidObject

WEB = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "shop", "labels": {"tier": "front"}},
}
FRONT = LabelSelector(match_labels={"tier": "front"})
BACK = LabelSelector(match_labels={"tier": "back"})


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, Match.KIND),
        ({"name": "web"}, Match.NAME),
        ({"name": "api"}, None),
        ({"label_selector": FRONT}, Match.LABELS),
        ({"label_selector": BACK}, None),
        ({"name": "web", "label_selector": BACK}, Match.NAME),
        ({"namespace": "shop"}, Match.KIND),
        ({"namespace": "other"}, None),
        ({"kind": "*", "api_version": "*"}, Match.EVERYTHING),
        ({"kind": "*", "api_version": "*", "label_selector": FRONT}, Match.LABELS),
        ({"kind": "StatefulSet"}, None),
        ({"api_version": "apps/v1beta2"}, Match.KIND),
        ({"api_version": "batch/v1"}, None),
        ({"api_version": "v1"}, None),
    ],
)
def test_a_selector_matches_by_the_closest_thing_it_says(fields, expected):
    fields = {"api_version": "apps/v1", "kind": "Deployment", **fields}
    assert match_resource(ResourceSelector(**fields), WEB) is expected


EU = Cluster(
    metadata=ObjectMeta(name="eu-1", labels={"env": "prod"}),
    spec=ClusterSpec(region="eu", zone="a", provider="own"),
)


def in_region(operator, *values):
    requirement = FieldRequirement(key="region", operator=operator, values=values)
    return FieldSelector(match_expressions=(requirement,))


@pytest.mark.parametrize(
    ("affinity", "expected"),
    [
        (None, True),
        (ClusterAffinity(), True),
        (ClusterAffinity(cluster_names=("eu-1",)), True),
        (ClusterAffinity(cluster_names=("us-1",)), False),
        (ClusterAffinity(cluster_names=("eu-1",), exclude=("eu-1",)), False),
        (ClusterAffinity(label_selector=LabelSelector(match_labels={"env": "prod"})), True),
        (ClusterAffinity(label_selector=LabelSelector(match_labels={"env": "test"})), False),
        (ClusterAffinity(field_selector=in_region("In", "us", "eu")), True),
        (ClusterAffinity(field_selector=in_region("NotIn", "eu")), False),
        (ClusterAffinity(field_selector=in_region("In", "eu"), cluster_names=("us-1",)), False),
    ],
)
def test_every_part_of_an_affinity_must_hold(affinity, expected):
    assert covers(affinity, EU) is expected


def test_a_malformed_label_selector_is_an_invalid_object():
    with pytest.raises(InvalidObject, match="malformed label selector"):
        covers(ClusterAffinity(label_selector=LabelSelector(match_labels={"-": "x"})), EU)
