"""Overrides: who wins, which clusters get the same, and what no override may change."""

from typing import Any

import pytest

from services.propagator.core.overrides import (
    OverrideFailure,
    apply_overrides,
    closeness,
    order_policies,
    overrides_for,
    variant,
)
from services.propagator.core.rendering import render_for
from shared.api.binding import Share
from shared.api.cluster import Cluster, ClusterSpec
from shared.api.matching import Match
from shared.api.meta import ObjectMeta
from shared.api.selection import ClusterAffinity, LabelSelector
from shared.apimachinery.manifest import Manifest
from shared.interpreter.registry import BUILT_IN
from tests.overriding import EU, a_deployment, changed, failure, overridden, policy

DEPLOYMENT = {"apiVersion": "apps/v1", "kind": "Deployment"}


def replicas(value: int) -> dict[str, Any]:
    return {"plaintext": [{"path": "/spec/replicas", "operator": "replace", "value": value}]}


def test_the_last_policy_wins_the_namespaces_after_all_others() -> None:
    by_name = [{**DEPLOYMENT, "name": "web"}]
    by_labels = [{**DEPLOYMENT, "labelSelector": {"matchLabels": {"app": "web"}}}]
    every = [{"apiVersion": "*", "kind": "*"}]
    policies = [
        policy(replicas(1), name="a", namespace="shop", resourceSelectors=by_name),
        policy(replicas(2), name="b", namespace="shop", resourceSelectors=by_labels),
        policy(replicas(3), name="z", namespace="shop", resourceSelectors=[DEPLOYMENT]),
        policy(replicas(4), name="y", namespace="shop"),
        policy(replicas(5), name="zz", namespace="shop", resourceSelectors=every),
        policy(replicas(6), name="b", resourceSelectors=by_name),
        policy(replicas(7), name="z"),
        policy(replicas(8), name="c"),
    ]
    matched = [(one, closeness(one, a_deployment())) for one in policies]
    ordered = order_policies((one, match) for one, match in matched if match is not None)
    assert [(one.key.namespace, one.key.name) for one in ordered] == [
        ("", "c"),
        ("", "z"),
        ("", "b"),
        ("shop", "zz"),
        ("shop", "y"),
        ("shop", "z"),
        ("shop", "b"),
        ("shop", "a"),
    ]
    found = apply_overrides(a_deployment(), overrides_for(ordered, EU), EU)
    assert isinstance(found, dict)
    assert found["spec"]["replicas"] == 1


def test_of_several_selectors_the_closest_counts() -> None:
    selectors = [{**DEPLOYMENT, "name": "web"}, {"apiVersion": "*", "kind": "*"}]
    assert closeness(policy({}, resourceSelectors=selectors), a_deployment()) is Match.NAME


def test_a_namespaced_policy_speaks_of_its_namespace_only() -> None:
    assert closeness(policy({}, namespace="shop"), a_deployment())
    assert closeness(policy({}, namespace="other"), a_deployment()) is None
    assert closeness(policy({}), a_deployment())


def test_rules_run_in_order_for_the_clusters_they_are_for() -> None:
    def rule(value: int, **target: Any) -> dict[str, Any]:
        return {"targetCluster": target, "overriders": replicas(value)} if target else {}

    rules = [
        rule(1, clusterNames=["eu-1"]),
        rule(2, clusterNames=["us-1"]),
        rule(3, labelSelector={"matchLabels": {"tier": "gold"}}),
        rule(4, exclude=["eu-1"]),
    ]
    found = overrides_for([policy(overrideRules=rules)], EU)
    assert [one.place for one in found] == ["overrideRules[0]", "overrideRules[2]"]


def test_a_rule_may_be_for_the_clusters_of_a_group() -> None:
    rules = [
        {"targetCluster": {"clusterGroups": ["gold", "none"]}, "overriders": replicas(1)},
        {"targetCluster": {"clusterGroups": ["iron"]}, "overriders": replicas(2)},
        {
            "targetCluster": {"clusterGroups": ["gold"], "exclude": ["eu-1"]},
            "overriders": replicas(3),
        },
    ]
    groups = {
        "gold": ClusterAffinity(label_selector=LabelSelector(match_labels={"tier": "gold"})),
        "iron": ClusterAffinity(cluster_names=("us-1",)),
    }
    chosen = [policy(overrideRules=rules)]
    assert [one.place for one in overrides_for(chosen, EU, groups)] == ["overrideRules[0]"]
    assert overrides_for(chosen, EU) == ()


def test_the_older_form_of_a_policy_is_one_rule() -> None:
    older = {"targetCluster": {"clusterNames": ["eu-1"]}, "overriders": replicas(9)}
    overrides = overrides_for([policy(overrideRules=[], **older)], EU)
    found = apply_overrides(a_deployment(), overrides, EU)
    assert isinstance(found, dict)
    assert found["spec"]["replicas"] == 9
    other = Cluster(metadata=ObjectMeta(name="us-1"))
    assert overrides_for([policy(overrideRules=[], **older)], other) == ()


def test_overriders_run_in_their_own_order() -> None:
    image = "/spec/template/spec/containers/0/image"
    found = changed(
        a_deployment(),
        plaintext=[{"path": image, "operator": "replace", "value": "last"}],
        imageOverrider=[{"component": "Tag", "operator": "replace", "value": "first"}],
    )
    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == "last"


@pytest.mark.parametrize(
    ("path", "operator", "value", "why"),
    [
        ("/metadata", "remove", None, "name and namespace"),
        ("/metadata", "replace", {"name": "web"}, "name and namespace"),
        ("/metadata/name", "replace", "other", "name and namespace"),
        ("/metadata/namespace", "remove", None, "name and namespace"),
        ("/kind", "replace", "Pod", "name and namespace"),
        ("/apiVersion", "replace", "apps/v2", "name and namespace"),
        ("/metadata/uid", "add", "x", "uid"),
        ("/metadata/ownerReferences", "add", [], "ownerReferences"),
        ("/metadata/managedFields", "add", [], "managedFields"),
        ("/status", "add", {}, "status"),
        ("/metadata/labels", "replace", "text", "map of texts"),
        ("/metadata/labels/app", "replace", 1, "map of texts"),
        ("/metadata/annotations", "add", {"a": {}}, "map of texts"),
        ("", "replace", [1], "whole object"),
        ("", "replace", {}, "whole object"),
    ],
)
def test_what_an_object_is_cannot_be_overridden(
    path: str, operator: str, value: Any, why: str
) -> None:
    message = failure(
        a_deployment(), plaintext=[{"path": path, "operator": operator, "value": value}]
    )
    assert message.startswith("overrideRules[0]: ")
    assert why in message


def test_an_object_may_be_given_finalizers() -> None:
    rule = {"path": "/metadata/finalizers", "operator": "add", "value": ["a.example/f"]}
    assert changed(a_deployment(), plaintext=[rule])["metadata"]["finalizers"] == ["a.example/f"]


def test_the_marks_cannot_be_removed() -> None:
    rules = {
        "labelsOverrider": [{"operator": "add", "value": {"hanse.dev/managed": "false"}}],
        "annotationsOverrider": [
            {"operator": "add", "value": {"hanse.dev/template-uid": "another"}},
        ],
    }
    found = render_for(
        EU,
        a_deployment(),
        BUILT_IN.of(a_deployment()),
        Share(3),
        overrides=policy(rules).overrides,
        uid="u",
    )
    assert isinstance(found, dict)
    assert found["metadata"]["labels"]["hanse.dev/managed"] == "true"
    assert found["metadata"]["annotations"]["hanse.dev/template-uid"] == "u"
    assert found["spec"]["replicas"] == 3


def test_the_first_failure_is_the_answer() -> None:
    absent = {"plaintext": [{"path": "/spec/none", "operator": "remove"}]}
    found = overridden(a_deployment(), replicas(1), absent, replicas(3))
    assert isinstance(found, OverrideFailure)
    assert found.message.startswith("overrideRules[1]: plaintext[0]: remove of '/spec/none': ")


def _clusters() -> tuple[Cluster, Cluster, Cluster]:
    def cluster(name: str, region: str) -> Cluster:
        return Cluster(metadata=ObjectMeta(name=name), spec=ClusterSpec(region=region))

    return cluster("eu-1", "europe"), cluster("eu-2", "europe"), cluster("nowhere", "")


def _note(value: str) -> dict[str, Any]:
    return {"annotationsOverrider": [{"operator": "add", "value": {"note": value}}]}


def test_clusters_with_the_same_values_share_a_rendering() -> None:
    one, two, nowhere = _clusters()
    plain, region = policy(_note("x")).overrides, policy(_note("${cluster.region}")).overrides
    name = policy(_note("${cluster.name}")).overrides
    assert variant(plain, one) == variant(plain, two) == variant(plain, nowhere)
    assert variant(region, one) == variant(region, two) != variant(region, nowhere)
    assert variant(name, one) != variant(name, two)
    inside = policy({"variablesOverrider": [{"path": "/spec"}]}).overrides
    assert variant(inside, one) != variant(inside, two)


def test_variables_of_a_value_are_those_of_the_cluster() -> None:
    one, _, nowhere = _clusters()
    note = _note("${cluster.region}/${cluster.name}")
    manifest: Manifest = a_deployment()
    assert changed(manifest, one, **note)["metadata"]["annotations"] == {"note": "europe/eu-1"}
    assert failure(manifest, nowhere, **note) == (
        "overrideRules[0]: annotationsOverrider[0].value.note: "
        "${cluster.region}: cluster nowhere has no region"
    )
