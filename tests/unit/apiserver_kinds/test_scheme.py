from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from shared.api.scheme import SCHEME, HanseKind, kind_named, kind_of_resource
from shared.apiserver.definitions.schemas import check_schema

KINDS = pytest.mark.parametrize("kind", SCHEME, ids=lambda kind: kind.kind)


def schema_at(kind: str, *path: str) -> Mapping[str, Any]:
    entry = kind_named(kind)
    assert entry is not None
    found: Any = entry.schema
    for name in path:
        found = found["properties"][name]
    return found


@KINDS
def test_the_schema_of_a_kind_is_structural(kind: HanseKind):
    properties = {**kind.schema["properties"], "metadata": {"type": "object"}}

    schema = {**kind.schema, "properties": properties}
    assert check_schema(schema, kind.kind, has_status=True) == []


@KINDS
def test_a_kind_is_found_by_either_name(kind: HanseKind):
    assert kind_named(kind.kind) is kind
    assert kind_of_resource(kind.resource) is kind


def test_no_name_is_used_twice():
    names = [name for kind in SCHEME for name in {kind.resource, kind.singular, *kind.short_names}]

    assert len(names) == len(set(names))


def test_choices_are_enumerated():
    mode = schema_at("Cluster", "spec", "mode")

    assert (mode["type"], mode["enum"]) == ("string", ["Pull", "Push"])


def test_a_field_that_may_be_absent_may_be_null():
    replicas = schema_at("ResourceBinding", "spec", "replicas")

    assert replicas == {"type": "integer", "format": "int64", "nullable": True}


def test_lists_merge_by_what_identifies_their_elements():
    conditions = schema_at("PropagationPolicy", "status", "conditions")
    reports = schema_at("ResourceBinding", "status", "aggregatedStatus")

    assert conditions["x-kubernetes-list-map-keys"] == ["type"]
    assert reports["x-kubernetes-list-map-keys"] == ["cluster"]
    assert reports["items"]["properties"]["status"]["x-kubernetes-preserve-unknown-fields"]


def test_what_has_no_default_is_required():
    assert schema_at("PropagationPolicy", "spec")["required"] == ["resourceSelectors"]
    assert "required" not in schema_at("Cluster", "spec")


def test_docstrings_explain_the_types():
    placement = schema_at("PropagationPolicy", "spec", "placement")

    assert placement["description"].startswith("The rules.")
    assert not any("`" in text for text in descriptions(placement))


def descriptions(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("description"), str):
            yield schema["description"]
        for value in schema.values():
            yield from descriptions(value)


def test_a_field_may_be_explained_beside_its_type():
    rules = schema_at("OverridePolicy", "spec", "overrideRules")
    operation = rules["items"]["properties"]["overriders"]["properties"]["plaintext"]["items"]

    assert "order" in rules["description"]
    assert "JSON pointer" in operation["properties"]["path"]["description"]
    assert operation["properties"]["value"]["x-kubernetes-preserve-unknown-fields"]


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("PropagationPolicy", ("spec",)),
        ("PropagationPolicy", ("spec", "replicaOwnership")),
        ("PropagationPolicy", ("spec", "drift")),
        ("PropagationPolicy", ("spec", "rollout")),
        ("ResourceRollout", ("spec",)),
        ("OverridePolicy", ("spec",)),
        ("ResourceInterpreter", ("spec",)),
        ("ResourceInterpreter", ("spec", "customizations")),
    ],
)
def test_what_users_write_is_explained_field_by_field(kind: str, path: tuple[str, ...]):
    fields = schema_at(kind, *path)["properties"]

    assert [name for name, field in fields.items() if not field.get("description")] == []
