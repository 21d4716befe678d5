"""Whether objects fit their schema, and what they have beyond it."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.apimachinery import schema
from shared.apimachinery.manifest import GroupVersionKind
from shared.apimachinery.schema import node
from shared.apimachinery.validation import validate, with_defaults, without_unknown

DEPLOYMENT = schema.builtin(GroupVersionKind("apps", "v1", "Deployment"))
assert DEPLOYMENT is not None
EXAMPLES = Path(__file__).parents[3] / "examples"


def a_deployment(**spec: Any) -> dict[str, Any]:
    whole = {"selector": {"matchLabels": {"app": "web"}}, "template": {}, **spec}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": whole,
    }


def faults(manifest: dict[str, Any]) -> list[str]:
    assert DEPLOYMENT is not None
    return [str(each) for each in validate(manifest, DEPLOYMENT).faults]


def in_container(**fields: Any) -> dict[str, Any]:
    container = {"name": "web", **fields}
    return a_deployment(template={"spec": {"containers": [container]}})


@pytest.mark.parametrize(
    "manifest",
    [document for document in yaml.safe_load_all((EXAMPLES / "shop.yaml").read_text()) if document],
    ids=lambda manifest: f"{manifest['kind']}-{manifest['metadata']['name']}",
)
def test_the_example_shop_is_valid(manifest: dict[str, Any]) -> None:
    kind = schema.builtin(GroupVersionKind.of(manifest))
    assert kind is not None
    findings = validate(manifest, kind)
    assert not findings.faults
    assert not findings.unknown


@pytest.mark.parametrize(
    ("manifest", "fault"),
    [
        (a_deployment(replicas="three"), "spec.replicas"),
        (a_deployment(replicas=True), "spec.replicas"),
        (a_deployment(replicas=2**40), "spec.replicas"),
        (a_deployment(template=[]), "spec.template"),
        (
            in_container(resources={"requests": {"cpu": "much"}}),
            "spec.template.spec.containers[0].resources.requests[cpu]",
        ),
        (in_container(ports=[{"name": "x"}]), "ports[0].containerPort: Required value"),
        ({"apiVersion": "apps/v1", "kind": "Deployment", "spec": "none"}, "spec"),
        ({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": []}, "metadata"),
    ],
)
def test_a_fault_names_its_field(manifest: dict[str, Any], fault: str) -> None:
    found = faults(manifest)
    assert any(fault in each for each in found), found


def test_int_or_string_takes_both() -> None:
    for port in (80, "http"):
        probe = {"httpGet": {"port": port}}
        assert faults(in_container(livenessProbe=probe)) == []


def test_null_counts_as_absent() -> None:
    manifest = a_deployment(replicas=None, strategy=None)
    manifest["metadata"]["creationTimestamp"] = None
    assert faults(manifest) == []


def test_unknown_fields_are_named_with_their_path_and_pruned() -> None:
    manifest = in_container(imagePolicy="x")
    manifest["spec"]["replica"] = 3
    assert DEPLOYMENT is not None
    assert sorted(validate(manifest, DEPLOYMENT).unknown) == [
        "spec.replica",
        "spec.template.spec.containers[0].imagePolicy",
    ]
    pruned = without_unknown(manifest, DEPLOYMENT)
    assert pruned == in_container()


CUSTOM = node(
    {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "required": ["size"],
                "properties": {
                    "size": {"type": "integer", "minimum": 1, "maximum": 5},
                    "mode": {"type": "string", "enum": ["a", "b"], "default": "a"},
                    "name": {"type": "string", "pattern": "^x", "maxLength": 3},
                    "nested": {
                        "type": "object",
                        "properties": {"on": {"type": "boolean", "default": True}},
                    },
                    "open": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                    "tags": {
                        "type": "array",
                        "x-kubernetes-list-type": "set",
                        "maxItems": 2,
                        "items": {"type": "string"},
                    },
                },
            }
        },
    }
)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({}, "spec.size: Required value"),
        ({"size": 9}, "less than or equal to 5"),
        ({"size": 0}, "greater than or equal to 1"),
        ({"size": 1, "mode": "c"}, 'Unsupported value: "c"'),
        ({"size": 1, "name": "y"}, "should match"),
        ({"size": 1, "name": "xyzz"}, "more than 3"),
        ({"size": 1, "tags": ["a", "a"]}, "spec.tags[1]: Duplicate value"),
        ({"size": 1, "tags": ["a", "b", "c"]}, "more than 2 items"),
    ],
)
def test_a_custom_schema_bounds_its_fields(spec: dict[str, Any], words: str) -> None:
    found = [str(each) for each in validate({"spec": spec}, CUSTOM).faults]
    assert any(words in each for each in found), found


def test_defaults_fill_what_is_there_and_create_no_parents() -> None:
    assert with_defaults({"spec": {"size": 1}}, CUSTOM)["spec"] == {"size": 1, "mode": "a"}
    filled = with_defaults({"spec": {"size": 1, "nested": {}}}, CUSTOM)
    assert filled["spec"]["nested"] == {"on": True}


def test_open_parts_keep_unknown_fields() -> None:
    manifest = {"spec": {"size": 1, "open": {"any": {"thing": 1}}, "shut": 1}}
    assert without_unknown(manifest, CUSTOM)["spec"] == {"size": 1, "open": {"any": {"thing": 1}}}
