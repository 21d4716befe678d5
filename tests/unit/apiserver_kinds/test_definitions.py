from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.apimachinery.manifest import Manifest, copy
from shared.apiserver.definitions import check_definition, check_definition_update, with_defaults

DELETED = object()
VERSION = ("spec", "versions", 0)
SCHEMA = (*VERSION, "schema", "openAPIV3Schema")
SPEC = (*SCHEMA, "properties", "spec")


def a_definition() -> Manifest:
    spec = {"type": "object", "properties": {"color": {"type": "string"}}}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}},
        "subresources": {
            "status": {},
            "scale": {"specReplicasPath": ".spec.crew", "statusReplicasPath": ".status.crew"},
        },
        "additionalPrinterColumns": [{"name": "C", "type": "string", "jsonPath": ".spec.color"}],
        "selectableFields": [{"jsonPath": ".spec.color"}],
    }
    return {
        "metadata": {"name": "boats.sea.example.org"},
        "spec": {
            "group": "sea.example.org",
            "scope": "Namespaced",
            "names": {
                "plural": "boats",
                "singular": "boat",
                "kind": "Boat",
                "listKind": "BoatList",
                "shortNames": ["bo"],
            },
            "versions": [version],
        },
    }


def changed(*path: Any, to: Any = DELETED) -> Manifest:
    definition = copy(a_definition())
    place: Any = definition
    for part in path[:-1]:
        place = place[part]
    if to is DELETED:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return definition


def faults_of(definition: Manifest) -> list[tuple[str, str]]:
    return [(fault.path, fault.reason) for fault in check_definition(definition)]


def test_a_whole_definition_has_no_fault():
    assert check_definition(a_definition()) == []


# What all versions share is named as the definition's own.
IN_SPEC = "spec.validation.openAPIV3Schema.properties[spec]"


@pytest.mark.parametrize(
    ("definition", "path", "reason"),
    [
        (changed("metadata", "name", to="ships.x.org"), "metadata.name", "FieldValueInvalid"),
        (changed("spec", "scope", to="Ocean"), "spec.scope", "FieldValueNotSupported"),
        (changed("spec", "group", to="Sea"), "spec.group", "FieldValueInvalid"),
        (changed("spec", "names", "kind"), "spec.names.kind", "FieldValueRequired"),
        (
            changed("spec", "names", "shortNames", to=["ok", "Not OK"]),
            "spec.names.shortNames[1]",
            "FieldValueInvalid",
        ),
        (changed("spec", "versions", to=[]), "spec.versions", "FieldValueInvalid"),
        (changed(*VERSION, "storage", to=False), "spec.versions", "FieldValueInvalid"),
        (changed(*VERSION, "name", to="1.0"), "spec.versions[0].name", "FieldValueInvalid"),
        (
            changed(*VERSION, "schema"),
            "spec.versions[0].schema.openAPIV3Schema",
            "FieldValueRequired",
        ),
        (changed(*SPEC, "type"), f"{IN_SPEC}.type", "FieldValueRequired"),
        (
            changed(*SPEC, "properties", "color", to={"type": "array"}),
            f"{IN_SPEC}.properties[color].items",
            "FieldValueRequired",
        ),
        (changed(*SPEC, "$ref", to="#/x"), f"{IN_SPEC}.$ref", "FieldValueForbidden"),
        (
            changed(*SPEC, "anyOf", to=[{"type": "object"}]),
            f"{IN_SPEC}.anyOf[0].type",
            "FieldValueForbidden",
        ),
        (
            changed(*SPEC, "properties", "color", to={"type": "string", "default": 5}),
            f"{IN_SPEC}.properties[color].default",
            "FieldValueTypeInvalid",
        ),
        (
            changed(*VERSION, "subresources", "scale", "specReplicasPath", to=".status.crew"),
            "spec.subresources.scale.specReplicasPath",
            "FieldValueInvalid",
        ),
        (
            changed(*VERSION, "additionalPrinterColumns", 0, "type", to="text"),
            "spec.additionalPrinterColumns[0].type",
            "FieldValueInvalid",
        ),
        (
            changed(*VERSION, "selectableFields", 0, "jsonPath", to=".spec.shape"),
            "spec.selectableFields[0].jsonPath",
            "FieldValueInvalid",
        ),
        (
            changed("spec", "conversion", to={"strategy": "Webhook"}),
            "spec.conversion.webhookClientConfig",
            "FieldValueRequired",
        ),
    ],
)
def test_a_fault_names_its_field(definition: Manifest, path: str, reason: str):
    assert (path, reason) in faults_of(definition)


@pytest.mark.parametrize(
    "schema",
    [
        {"x-kubernetes-preserve-unknown-fields": True},
        {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]},
        {"type": "object", "additionalProperties": {"type": "string"}},
        {
            "type": "object",
            "x-kubernetes-embedded-resource": True,
            "properties": {"a": {"type": "string"}},
        },
        {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"type": "string"}},
            },
        },
    ],
)
def test_the_extensions_of_kubernetes_are_structural(schema: dict[str, Any]):
    definition = changed(*SPEC, "properties", "more", to=schema)

    assert check_definition(definition) == []


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "x-kubernetes-list-type": "map", "items": {"type": "object"}},
        {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "object"}},
        {"type": "string", "x-kubernetes-embedded-resource": True},
        {"type": "string", "x-kubernetes-map-type": "atomic"},
        {"type": "string", "uniqueItems": True},
        {"type": "object", "not": {"properties": {"a": {"description": "no"}}}},
        {"type": "string", "pattern": "(?=a)"},
        {"type": "string", "pattern": "^a$", "default": "b"},
        {"type": "object", "default": {"unknown": 1}, "properties": {"a": {"type": "string"}}},
    ],
)
def test_an_extension_that_does_not_fit_its_type_is_a_fault(schema: dict[str, Any]):
    assert check_definition(changed(*SPEC, "properties", "more", to=schema))


def test_what_is_established_cannot_be_renamed():
    new = changed("spec", "names", "kind", to="Ship")

    (fault,) = check_definition_update(a_definition(), new)
    assert str(fault) == 'spec.names.kind: Invalid value: "Ship": field is immutable'


def test_a_version_in_which_objects_lie_stays_declared():
    definition = {**a_definition(), "status": {"storedVersions": ["v1", "v1alpha1"]}}

    assert faults_of(definition) == [("status.storedVersions[1]", "FieldValueInvalid")]


@pytest.mark.parametrize(
    ("rule", "field", "why"),
    [
        ({"rule": "self."}, "rule", "Syntax error: no viable alternative at input '.'"),
        ({"rule": "self.colour == 'red'"}, "rule", "undefined field 'colour'"),
        (
            {"rule": "self.color > 1"},
            "rule",
            "found no matching overload for '_>_' applied to '(string, int)'",
        ),
        ({"rule": "self.color"}, "rule", "cel expression must evaluate to a bool"),
        ({"rule": "sail(self)"}, "rule", "undeclared reference to 'sail'"),
        # What the engine lacks is refused, never passed over.
        ({"rule": "format.dns1123Label() != null"}, "rule", "undeclared reference to 'format'"),
        ({"rule": "[1].sortBy(i, i) == [1]"}, "rule", "undeclared reference to 'i'"),
        ({"rule": "{1: 2}.transformMap(k, v, v) == {}"}, "rule", "reference to 'transformMap'"),
        ({"rule": "true", "messageExpression": "1"}, "messageExpression", "evaluate to a string"),
        ({"rule": "true", "reason": "Because"}, "reason", 'Unsupported value: "Because"'),
        ({"rule": "true", "fieldPath": ".colour"}, "fieldPath", "must be a valid path"),
        ({"rule": "true", "optionalOldSelf": True}, "optionalOldSelf", "oldSelf is not used"),
        ({"rule": "oldSelf.value().colour == ''", "optionalOldSelf": True}, "rule", "'colour'"),
        ({"rule": " "}, "rule", "Required value: rule is not specified"),
    ],
)
def test_a_rule_that_cannot_be_kept_is_refused(rule: dict[str, Any], field: str, why: str):
    definition = changed(*SPEC, "x-kubernetes-validations", to=[rule])

    (fault,) = check_definition(definition)
    assert fault.path == f"{IN_SPEC}.x-kubernetes-validations[0].{field}"
    assert why in fault.message


@pytest.mark.parametrize(
    "rule",
    [
        "self.color == oldSelf.color",
        "!has(self.color) || self.color.split('-').size() == 2",
        "self.color.size() > 1.5",
        "self.?color.orValue('') != 'x' // a comment",
    ],
)
def test_a_rule_that_compiles_is_accepted(rule: str):
    rules = [{"rule": rule, "message": "no"}]
    assert check_definition(changed(*SPEC, "x-kubernetes-validations", to=rules)) == []


def test_a_rule_may_look_back_only_where_elements_have_a_past():
    element = {"type": "string", "x-kubernetes-validations": [{"rule": "self == oldSelf"}]}
    schema = {"type": "array", "items": element}
    (fault,) = check_definition(changed(*SPEC, "properties", "more", to=schema))

    assert "uncorrelatable portion of the schema within" in fault.message
    assert fault.message.endswith(f"{IN_SPEC}.properties[more]")


def test_what_was_judged_when_it_was_new_is_not_judged_again():
    definition = changed(*SPEC, "x-kubernetes-validations", to=[{"rule": "sail(self)"}])

    assert check_definition(definition)
    assert check_definition(definition, definition) == []


def test_names_follow_from_the_kind():
    spec = with_defaults({"names": {"plural": "boats", "kind": "Boat"}})

    assert spec["names"]["singular"] == "boat"
    assert spec["names"]["listKind"] == "BoatList"
    assert spec["conversion"] == {"strategy": "None"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "items", "properties", "a"]), inner, max_size=3)
    ),
    max_leaves=6,
)


def paths_of(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    else:
        return [path] if path else []
    deeper = [found for key, each in inner for found in paths_of(each, (*path, key))]
    return ([path] if path else []) + deeper


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(paths_of(a_definition())), JSON)
def test_no_garbage_breaks_the_check(path: tuple[Any, ...], value: Any):
    definition = changed(*path, to=value)
    if isinstance(definition.get("metadata"), dict):
        check_definition(definition)
