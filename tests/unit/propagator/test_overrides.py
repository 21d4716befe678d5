"""Overrides: who wins, what each overrider does, and how one that does not fit is told."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.propagator.core.images import change_image, parse_image
from services.propagator.core.overrides import (
    Override,
    OverrideFailure,
    apply_overrides,
    order_policies,
    overrides_for,
    selects,
)
from shared.api.cluster import Cluster
from shared.api.meta import ObjectMeta, read
from shared.api.override import OverridePolicy, Overriders, OverrideSpec
from shared.apimachinery.manifest import Manifest, ObjectKey, copy

EU = Cluster(metadata=ObjectMeta(name="eu-1"))


def a_deployment() -> Manifest:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"}},
        "spec": {
            "replicas": 2,
            "template": {
                "spec": {
                    "initContainers": [{"name": "init", "image": "busybox"}],
                    "containers": [
                        {"name": "web", "image": "registry.example/shop/web:1.4.2", "args": ["-v"]}
                    ],
                }
            },
        },
    }


def key_of(name: str, namespace: str = "") -> ObjectKey:
    resource = "overridepolicies" if namespace else "clusteroverridepolicies"
    return ObjectKey("hanse.dev", resource, namespace, name)


def overriders(**given: Any) -> Overriders:
    return (
        read({"overrideRules": [{"overriders": given}]}, OverrideSpec).override_rules[0].overriders
    )


def apply(manifest: Manifest, *each: Overriders) -> Manifest | OverrideFailure:
    return apply_overrides(
        manifest, [Override(key_of("p"), number, one) for number, one in enumerate(each)]
    )


def changed(manifest: Manifest, **given: Any) -> Manifest:
    found = apply(manifest, overriders(**given))
    assert isinstance(found, dict)
    return found


def failure(manifest: Manifest, **given: Any) -> str:
    found = apply(manifest, overriders(**given))
    assert isinstance(found, OverrideFailure)
    return found.message


@pytest.mark.parametrize(
    ("image", "parts"),
    [
        ("nginx", ("", "nginx", "", "")),
        ("library/nginx:1.2", ("", "library/nginx", "1.2", "")),
        ("localhost/nginx", ("localhost", "nginx", "", "")),
        ("registry:5000/a/b:t", ("registry:5000", "a/b", "t", "")),
        ("r.example/a@sha256:00", ("r.example", "a", "", "sha256:00")),
        ("r.example/a:t@sha256:00", ("r.example", "a", "t", "sha256:00")),
    ],
)
def test_image_references_are_taken_apart_and_put_together(
    image: str, parts: tuple[str, ...]
) -> None:
    found = parse_image(image)
    assert (found.registry, found.repository, found.tag, found.digest) == parts
    assert str(found) == image


@pytest.mark.parametrize("image", ["", ":tag", "r.example/", "a:b:c", "a/b:c/d"])
def test_what_is_no_image_is_refused(image: str) -> None:
    with pytest.raises(ValueError, match="is not an image"):
        parse_image(image)


@pytest.mark.parametrize(
    ("component", "operator", "value", "result"),
    [
        ("Registry", "replace", "eu.example:5000", "eu.example:5000/a/b:t"),
        ("Registry", "remove", "", "a/b:t"),
        ("Registry", "add", ".eu", "r.example.eu/a/b:t"),
        ("Repository", "replace", "c", "r.example/c:t"),
        ("Repository", "add", "-arm", "r.example/a/b-arm:t"),
        ("Tag", "add", "-arm", "r.example/a/b:t-arm"),
        ("Tag", "replace", "2", "r.example/a/b:2"),
        ("Tag", "replace", "sha256:00", "r.example/a/b@sha256:00"),
        ("Tag", "remove", "", "r.example/a/b"),
    ],
)
def test_one_component_of_an_image_changes(
    component: Any, operator: Any, value: str, result: str
) -> None:
    assert change_image("r.example/a/b:t", component, operator, value) == result


def test_a_new_tag_displaces_a_digest() -> None:
    assert change_image("a@sha256:00", "Tag", "replace", "2") == "a:2"


def test_without_a_predicate_every_container_is_changed() -> None:
    rule = {"component": "Registry", "operator": "replace", "value": "us.example"}
    spec = changed(a_deployment(), imageOverrider=[rule])["spec"]["template"]["spec"]
    assert spec["initContainers"][0]["image"] == "us.example/busybox"
    assert spec["containers"][0]["image"] == "us.example/shop/web:1.4.2"


def test_a_predicate_names_the_one_image() -> None:
    path = "/spec/template/spec/containers/0/image"
    rule = {
        "predicate": {"path": path},
        "component": "Tag",
        "operator": "replace",
        "value": "2",
    }
    spec = changed(a_deployment(), imageOverrider=[rule])["spec"]["template"]["spec"]
    assert spec["initContainers"][0]["image"] == "busybox"
    assert spec["containers"][0]["image"] == "registry.example/shop/web:2"
    missing = {**rule, "predicate": {"path": "/spec/none"}}
    assert "'/spec/none'" in failure(a_deployment(), imageOverrider=[missing])


def test_a_kind_without_pods_has_no_images_to_change() -> None:
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
    rule = {"component": "Registry", "operator": "replace", "value": "x.example"}
    assert changed(manifest, imageOverrider=[rule]) == manifest


def test_words_are_added_and_removed_per_container() -> None:
    add = {"containerName": "web", "operator": "add", "value": ["--eu"]}
    remove = {"containerName": "web", "operator": "remove", "value": ["-v"]}
    found = changed(a_deployment(), argsOverrider=[add, remove], commandOverrider=[add])
    container = found["spec"]["template"]["spec"]["containers"][0]
    assert (container["args"], container["command"]) == (["--eu"], ["--eu"])
    wrong = {**add, "containerName": "none"}
    assert "no container 'none'" in failure(a_deployment(), commandOverrider=[wrong])


def test_labels_are_added_replaced_only_where_present_and_removed() -> None:
    found = changed(
        a_deployment(),
        labelsOverrider=[
            {"operator": "add", "value": {"region": "eu"}},
            {"operator": "replace", "value": {"region": "de", "absent": "x"}},
            {"operator": "remove", "value": {"app": ""}},
        ],
        annotationsOverrider=[{"operator": "add", "value": {"note": "n"}}],
    )
    assert found["metadata"]["labels"] == {"region": "de"}
    assert found["metadata"]["annotations"] == {"note": "n"}


@pytest.mark.parametrize(
    ("path", "operator", "value"),
    [
        ("/spec/none/deeper", "replace", 1),
        ("/spec/none", "remove", None),
        ("/spec/replicas/deeper", "add", 1),
        ("/spec/template/spec/containers/7", "remove", None),
        ("/spec/template/spec/containers/x", "replace", 1),
        ("no-slash", "add", 1),
        ("", "replace", [1]),
        ("/metadata", "remove", None),
        ("/metadata/name", "replace", "other"),
        ("/metadata/labels", "replace", "text"),
        ("/kind", "replace", "Pod"),
    ],
)
def test_a_patch_that_does_not_fit_is_an_answer(path: str, operator: str, value: Any) -> None:
    before = a_deployment()
    rule = {"path": path, "operator": operator, "value": value}
    assert failure(before, plaintext=[rule]).startswith("overrideRules[0]: ")
    assert before == a_deployment()


def test_the_namespaces_policy_has_the_last_word() -> None:
    def policy(value: int) -> OverridePolicy:
        rule = {"path": "/spec/replicas", "operator": "replace", "value": value}
        return read(
            {"spec": {"overrideRules": [{"overriders": {"plaintext": [rule]}}]}}, OverridePolicy
        )

    pairs = [
        (key_of("a", "shop"), policy(1)),
        (key_of("z"), policy(2)),
        (key_of("b"), policy(3)),
        (key_of("b", "shop"), policy(4)),
    ]
    ordered = order_policies(pairs)
    assert [(key.namespace, key.name) for key, _ in ordered] == [
        ("", "b"),
        ("", "z"),
        ("shop", "a"),
        ("shop", "b"),
    ]
    found = apply_overrides(a_deployment(), overrides_for(ordered, EU))
    assert isinstance(found, dict)
    assert found["spec"]["replicas"] == 4


def test_a_namespaced_policy_speaks_of_its_namespace_only() -> None:
    policy = read({"spec": {"overrideRules": []}}, OverridePolicy)
    assert selects(key_of("p", "shop"), policy, a_deployment())
    assert not selects(key_of("p", "other"), policy, a_deployment())
    assert selects(key_of("p"), policy, a_deployment())


def test_rules_for_other_clusters_do_not_apply() -> None:
    rule = {"targetCluster": {"clusterNames": ["us-1"]}, "overriders": {}}
    policy = read({"spec": {"overrideRules": [rule]}}, OverridePolicy)
    assert overrides_for([(key_of("p"), policy)], EU) == ()


patches = st.builds(
    lambda path, operator, value: {"path": path, "operator": operator, "value": value},
    st.sampled_from(["/spec/replicas", "/spec/x", "/metadata/labels/a", "/spec/template/spec/y"]),
    st.sampled_from(["add", "remove", "replace"]),
    st.integers(0, 9).map(str),
)


@given(rules=st.lists(patches, max_size=5))
def test_overriding_is_deterministic_and_leaves_its_input_alone(rules: list[Any]) -> None:
    manifest = a_deployment()
    first = apply(manifest, overriders(plaintext=rules))
    assert manifest == a_deployment()
    assert apply(copy(manifest), overriders(plaintext=rules)) == first
