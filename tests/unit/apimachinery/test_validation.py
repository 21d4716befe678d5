"""Whether objects fit their schema, and what they have beyond it."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.apimachinery import schema
from shared.apimachinery.manifest import GroupVersionKind
from shared.apimachinery.pruning import with_defaults, without_unknown
from shared.apimachinery.schema import node
from shared.apimachinery.validation import validate

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
        ({"size": 1, "tags": ["a", "b", "c"]}, "at most 2 items"),
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


def test_nulls_are_dropped_unless_they_are_data() -> None:
    kind = node(
        {
            "type": "object",
            "properties": {
                "spec": {
                    "type": "object",
                    "properties": {
                        "gone": {"type": "string"},
                        "filled": {"type": "string", "default": "x"},
                        "kept": {"type": "string", "nullable": True},
                        "open": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                    },
                }
            },
        }
    )
    spec = {"gone": None, "filled": None, "kept": None, "open": {"a": None}}
    pruned = without_unknown({"spec": spec}, kind)
    assert pruned == {"spec": {"kept": None, "open": {"a": None}}}
    assert with_defaults(pruned, kind)["spec"]["filled"] == "x"
    assert validate({"spec": spec}, kind).faults == []


def test_an_object_without_declared_fields_holds_none_in_a_custom_kind() -> None:
    kind = node({"type": "object", "properties": {"spec": {"type": "object"}}})
    assert validate({"spec": {"a": 1}}, kind).unknown == ["spec.a"]
    assert without_unknown({"spec": {"a": 1}}, kind) == {"spec": {}}


def test_what_has_nothing_to_prune_or_fill_is_returned_as_it_is() -> None:
    spec = {"size": 1, "mode": "a"}
    assert without_unknown({"spec": spec}, CUSTOM)["spec"] is spec
    assert with_defaults({"spec": spec}, CUSTOM)["spec"] is spec


def test_an_embedded_object_is_judged_as_an_object() -> None:
    embedded = {
        "type": "object",
        "x-kubernetes-embedded-resource": True,
        "properties": {"data": {"type": "string"}},
    }
    kind = node({"type": "object", "properties": {"inner": embedded}})
    inner = {"apiVersion": "v1", "kind": "X", "metadata": {"name": "x", "nme": "y"}, "data": 1}
    findings = validate({"inner": inner}, kind)
    assert [each.path for each in findings.faults] == ["inner.data"]
    assert findings.unknown == ["inner.metadata.nme"]


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        ({"oneOf": [{"required": ["a"]}, {"required": ["b"]}]}, {"a": 1}, {"a": 1, "b": 2}),
        ({"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}, {"a": 1, "b": 2}, {}),
        ({"not": {"required": ["a"]}}, {"b": 1}, {"a": 1}),
        ({"allOf": [{"required": ["a"]}, {"required": ["b"]}]}, {"a": 1, "b": 2}, {"a": 1}),
        ({"minProperties": 1}, {"a": 1}, {}),
    ],
    ids=lambda rule: next(iter(rule)) if rule else "empty",
)
def test_a_rule_upon_an_object_holds(
    rule: dict[str, Any], good: dict[str, Any], bad: dict[str, Any]
) -> None:
    values = {"type": "object", "additionalProperties": {"type": "integer"}, **rule}
    kind = node({"type": "object", "properties": {"spec": values}})
    assert validate({"spec": good}, kind).faults == []
    (fault,) = validate({"spec": bad}, kind).faults
    assert "spec" in f"{fault.path} {fault.message}"


@pytest.mark.parametrize(
    ("form", "good", "bad"),
    [
        ("date-time", "2026-01-02T03:04:05.123456789Z", "2026-13-02T03:04:05Z"),
        ("date", "2026-01-02", "2026-1-2"),
        ("byte", "aGFuc2U=", "hanse!"),
        ("ipv4", "10.0.0.1", "10.0.0.256"),
        ("ipv6", "::1", "10.0.0.1"),
        ("cidr", "10.0.0.0/8", "10.0.0.0"),
        ("hostname", "a.example", "-a.example"),
        ("uuid", "123e4567-e89b-12d3-a456-426614174000", "123"),
        ("duration", "1h30m", "soon"),
        ("email", "a@b.example", "a"),
        ("uri", "https://a.example/x", "a b"),
        ("nobody-knows-it", "x", None),
    ],
)
def test_a_format_that_is_known_is_checked(form: str, good: str, bad: str | None) -> None:
    kind = node({"type": "object", "properties": {"it": {"type": "string", "format": form}}})
    assert validate({"it": good}, kind).faults == []
    if bad is not None:
        [fault] = validate({"it": bad}, kind).faults
        assert fault.path == "it"
        assert f"must be of type {form}" in fault.message


def test_a_key_twice_in_a_list_of_a_custom_kind_is_a_fault() -> None:
    items = {
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
        "items": {"type": "object", "properties": {"name": {"type": "string"}}},
    }
    kind = node({"type": "object", "properties": {"it": items}})
    [fault] = validate({"it": [{"name": "a"}, {"name": "b"}, {"name": "a"}]}, kind).faults
    assert str(fault) == 'it[2]: Duplicate value: {"name":"a"}'


def test_the_status_of_a_built_in_kind_may_be_partial() -> None:
    pod = schema.builtin(GroupVersionKind("", "v1", "Pod"))
    assert pod is not None
    status = {"containerStatuses": [{"name": "web", "ready": True}]}
    assert validate({"status": status}, pod).faults == []
    assert validate({"status": {"phase": 1}}, pod).faults != []


def test_a_pattern_in_a_dialect_python_lacks_refuses_nothing() -> None:
    kind = node({"type": "object", "properties": {"it": {"type": "string", "pattern": "\\p{L}"}}})
    assert validate({"it": "x"}, kind).faults == []
