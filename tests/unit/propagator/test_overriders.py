"""What each overrider does to an object, and what it says where it does not fit."""

from typing import Any

import pytest

from shared.apimachinery.manifest import Manifest
from tests.overriding import a_config_map, a_deployment, changed, failure


def pod_of(manifest: Manifest) -> dict[str, Any]:
    found: dict[str, Any] = manifest["spec"]["template"]["spec"]
    return found


def test_without_a_predicate_every_container_is_changed() -> None:
    rule = {"component": "Registry", "operator": "replace", "value": "us.example"}
    spec = pod_of(changed(a_deployment(), imageOverrider=[rule]))
    assert spec["initContainers"][0]["image"] == "us.example/busybox"
    assert spec["containers"][0]["image"] == "us.example/shop/web:1.4.2"


def test_a_predicate_names_the_one_image_in_whatever_kind() -> None:
    path = "/spec/template/spec/containers/0/image"
    rule = {"predicate": {"path": path}, "component": "Tag", "operator": "replace", "value": "2"}
    spec = pod_of(changed(a_deployment(), imageOverrider=[rule]))
    assert spec["initContainers"][0]["image"] == "busybox"
    assert spec["containers"][0]["image"] == "registry.example/shop/web:2"
    rule["predicate"] = {"path": "/data/a~1b"}
    found = changed(a_config_map(**{"a/b": "x:1"}), imageOverrider=[rule])
    assert found["data"] == {"a/b": "x:2"}


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/spec/none", "nothing is at '/spec/none'"),
        ("/spec/template/spec/containers/1/image", "nothing is at"),
        ("/spec/template/spec/containers/-/image", "nothing is at"),
        ("/spec/template/spec/containers/00/image", "nothing is at"),
        ("/spec/replicas", "not a text"),
        ("/spec/replicas/x", "nothing is at '/spec/replicas/x'"),
    ],
)
def test_a_predicate_that_points_at_no_image_is_told(path: str, why: str) -> None:
    rule = {"predicate": {"path": path}, "component": "Tag", "operator": "remove"}
    assert why in failure(a_deployment(), imageOverrider=[rule])


def test_a_kind_without_pods_has_no_images_to_change() -> None:
    rule = {"component": "Registry", "operator": "replace", "value": "x.example"}
    assert changed(a_config_map(), imageOverrider=[rule]) == a_config_map()


def test_words_are_added_and_removed_per_container() -> None:
    add = {"containerName": "web", "operator": "add", "value": ["--in=${cluster.region}"]}
    remove = {"containerName": "web", "operator": "remove", "value": ["-v", "-x"]}
    found = changed(a_deployment(), argsOverrider=[add, remove], commandOverrider=[add])
    container = pod_of(found)["containers"][0]
    assert (container["args"], container["command"]) == (["--in=europe"], ["--in=europe"])


def test_an_object_without_the_container_is_left_alone() -> None:
    words = {"containerName": "none", "operator": "add", "value": ["x"]}
    env = {"containerName": "none", "operator": "add", "value": [{"name": "A", "value": "b"}]}
    for manifest in (a_deployment(), a_config_map()):
        assert manifest == changed(
            manifest, commandOverrider=[words], argsOverrider=[words], envOverrider=[env]
        )


def environment(*given: Any, operator: str, before: list[Any] | None = None) -> list[Any]:
    manifest = a_deployment()
    pod_of(manifest)["containers"][0]["env"] = before or []
    rule = {"containerName": "web", "operator": operator, "value": list(given)}
    found: list[Any] = pod_of(changed(manifest, envOverrider=[rule]))["containers"][0]["env"]
    return found


def test_the_environment_keeps_its_order_and_takes_new_variables_at_its_end() -> None:
    before = [{"name": "A", "value": "1"}, {"name": "B", "valueFrom": {"x": {}}}]
    secret = {"secretKeyRef": {"name": "s-${cluster.name}", "key": "k"}}
    assert environment(
        {"name": "C", "valueFrom": secret},
        {"name": "A", "value": "2"},
        operator="add",
        before=before,
    ) == [
        {"name": "A", "value": "2"},
        {"name": "B", "valueFrom": {"x": {}}},
        {"name": "C", "valueFrom": {"secretKeyRef": {"name": "s-eu-1", "key": "k"}}},
    ]
    assert environment(
        {"name": "B", "value": "${cluster.name}"},
        {"name": "C", "value": "3"},
        operator="replace",
        before=before,
    ) == [{"name": "A", "value": "1"}, {"name": "B", "value": "eu-1"}]
    assert environment({"name": "A"}, operator="remove", before=before) == before[1:]


def test_a_variable_that_was_there_twice_is_there_once() -> None:
    before = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]
    assert environment({"name": "A", "value": "3"}, operator="add", before=before) == [
        {"name": "A", "value": "3"}
    ]


def test_a_star_is_every_container() -> None:
    rule = {"containerName": "*", "operator": "add", "value": [{"name": "A", "value": "b"}]}
    spec = pod_of(changed(a_deployment(), envOverrider=[rule]))
    for container in (*spec["initContainers"], *spec["containers"]):
        assert container["env"] == [{"name": "A", "value": "b"}]


def test_labels_are_added_replaced_only_where_present_and_removed() -> None:
    found = changed(
        a_deployment(),
        labelsOverrider=[
            {"operator": "add", "value": {"region": "eu"}},
            {"operator": "replace", "value": {"region": "${cluster.region}", "absent": "x"}},
            {"operator": "remove", "value": {"app": "", "absent": ""}},
        ],
        annotationsOverrider=[{"operator": "add", "value": {"note": "n"}}],
    )
    assert found["metadata"]["labels"] == {"region": "europe"}
    assert found["metadata"]["annotations"] == {"note": "n"}


def test_all_operations_of_a_json_patch() -> None:
    manifest = a_config_map(a="1", b="2", **{"x/y~z": "3"})
    operations = [
        {"operator": "test", "path": "/data/a", "value": "1"},
        {"operator": "copy", "path": "/data/c", "from": "/data/a"},
        {"operator": "move", "path": "/data/d", "from": "/data/b"},
        {"operator": "replace", "path": "/data/x~1y~0z", "value": "${cluster.name}"},
        {"operator": "add", "path": "/list", "value": [1]},
        {"operator": "add", "path": "/list/-", "value": {"at": ["$${cluster.name}"]}},
        {"operator": "add", "path": "/list/0", "value": 0},
        {"operator": "remove", "path": "/data/a"},
    ]
    found = changed(manifest, plaintext=operations)
    assert found["data"] == {"c": "1", "d": "2", "x/y~z": "eu-1"}
    assert found["list"] == [0, 1, {"at": ["${cluster.name}"]}]


@pytest.mark.parametrize(
    ("operation", "why"),
    [
        ({"path": "/spec/none/deeper", "operator": "replace", "value": 1}, "at '/spec/none'"),
        ({"path": "/spec/none", "operator": "replace", "value": 1}, "at '/spec/none'"),
        ({"path": "/spec/none", "operator": "remove"}, "at '/spec/none'"),
        ({"path": "/spec/none/a", "operator": "add", "value": 1}, "at '/spec/none'"),
        ({"path": "/spec/replicas/deeper", "operator": "add", "value": 1}, "does not fit"),
        ({"path": "/spec/template/spec/containers/7", "operator": "remove"}, "containers/7'"),
        ({"path": "/spec/template/spec/containers/x", "operator": "add", "value": 1}, "not fit"),
        ({"path": "no-slash", "operator": "add", "value": 1}, "plaintext[0]: add of 'no-slash'"),
        ({"path": "/spec/a~2", "operator": "add", "value": 1}, "plaintext[0]"),
        ({"path": "/spec/replicas", "operator": "test", "value": 3}, "something else is there"),
        ({"path": "/spec/none", "operator": "test", "value": 3}, "something else is there"),
        ({"path": "/spec/a", "operator": "copy", "from": "/spec/none"}, "at '/spec/none'"),
        ({"path": "/spec/a", "operator": "move", "from": "/spec/none"}, "at '/spec/none'"),
        ({"path": "/spec/a/b", "operator": "move", "from": "/spec"}, "plaintext[0]: move"),
    ],
)
def test_a_patch_that_does_not_fit_is_an_answer(operation: dict[str, Any], why: str) -> None:
    message = failure(a_deployment(), plaintext=[operation])
    assert message.startswith("overrideRules[0]: plaintext[0]: ")
    assert why in message
    # What is there may be a secret.
    assert "registry.example" not in message


def test_copies_do_not_grow_without_end() -> None:
    doubling = [
        {"path": f"/data/x{number}", "operator": "copy", "from": "/data"} for number in range(30)
    ]
    message = failure(a_config_map(a="x" * 1000), plaintext=doubling)
    assert message.endswith("too large")


def test_variables_of_the_manifest_are_left_alone_unless_asked_for() -> None:
    manifest = a_config_map(a="${cluster.name}", b="$${cluster.name} ${HOME}", c="${cluster.no}")
    assert changed(manifest, plaintext=[]) == manifest
    found = changed(manifest, variablesOverrider=[{"path": "/data/a"}, {"path": "/data/b"}])
    assert found["data"] == {"a": "eu-1", "b": "${cluster.name} ${HOME}", "c": "${cluster.no}"}


def test_a_variable_of_the_manifest_that_is_not_there_is_told_with_its_place() -> None:
    manifest = a_config_map(**{"x/y": "${cluster.zone}"})
    message = failure(manifest, variablesOverrider=[{"path": "/data"}])
    assert "at '/data/x~1y': ${cluster.zone}: cluster eu-1 has no zone" in message
    assert "nothing is at '/spec'" in failure(manifest, variablesOverrider=[{"path": "/spec"}])
