"""Everything that is asked of the schema of one version."""

from collections.abc import Iterator, Mapping
from typing import Any

from shared.apimachinery.pruning import pruned
from shared.apimachinery.schema import Schema
from shared.apimachinery.schema_rules import value_rule_faults
from shared.apimachinery.validation import value_faults
from shared.apiserver.definitions.custom_content import resource_faults
from shared.apiserver.definitions.keywords import HEADER, Surroundings, keyword_faults
from shared.apiserver.definitions.rules import RuleChecks
from shared.apiserver.definitions.shape import children, shape_faults
from shared.apiserver.definitions.structural import structural_faults
from shared.apiserver.semantics.faults import forbidden, invalid
from shared.errors import FieldError

_EMBEDDED = "x-kubernetes-embedded-resource"
# Kubernetes' names of the keywords that may stand beside a status subresource.
_AT_ROOT = (
    "Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength "
    "MinLength Pattern MaxItems MinItems UniqueItems MultipleOf Required Items Properties "
    "ExternalDocs Example XPreserveUnknownFields XValidations"
)
_NOT_AT_ROOT = (
    *("id", "$schema", "$ref", "nullable", "default", "enum", "maxProperties", "minProperties"),
    *("allOf", "oneOf", "anyOf", "not", "additionalProperties", "patternProperties"),
    *("dependencies", "additionalItems", "definitions", _EMBEDDED, "x-kubernetes-int-or-string"),
    *("x-kubernetes-list-map-keys", "x-kubernetes-list-type", "x-kubernetes-map-type"),
)
# A schema with one of these is not even read as structural.
_UNREADABLE = ("$ref", "definitions", "dependencies", "patternProperties", "additionalItems", "id")


def check_schema(schema: Any, path: str, *, has_status: bool) -> list[FieldError]:
    """Return every fault of the schema of a whole object; *path* is where it stands."""
    faults = list(shape_faults(schema, path))
    if faults:
        return faults
    faults += _root_faults(schema, path, has_status=has_status)
    readable = not _is_unreadable(schema)
    shaped: list[FieldError] = []
    if readable:
        shaped = structural_faults(schema, path) or list(_default_faults(schema, path))
    checks = RuleChecks(schema, path) if readable and not shaped else None
    return [*faults, *shaped, *_walk(schema, path, Surroundings(), checks, root=True)]


def _root_faults(schema: Mapping[str, Any], path: str, *, has_status: bool) -> Iterator[FieldError]:
    if schema.get("$schema"):
        yield invalid(path, "", "OpenAPIV3Schema 'schema' is not supported")
    if has_status and any(schema.get(name) for name in _NOT_AT_ROOT):
        why = f"only [{_AT_ROOT}] fields are allowed at the root of the schema if the status "
        yield invalid(path, dict(schema), f"{why}subresource is enabled")
    if schema.get("nullable"):
        yield forbidden(f"{path}.nullable", "nullable cannot be true at the root")


def _is_unreadable(schema: Mapping[str, Any]) -> bool:
    if any(schema.get(name) for name in _UNREADABLE) or isinstance(schema.get("items"), list):
        return True
    return any(_is_unreadable(child) for _, child in children(schema, ""))


def _walk(
    schema: Mapping[str, Any],
    path: str,
    around: Surroundings,
    checks: RuleChecks | None,
    *,
    root: bool = False,
) -> list[FieldError]:
    """Return the faults of a schema and all within; its rules are read only if it has none.

    *checks* is None inside junctors, where there are no rules.
    """
    faults = list(keyword_faults(schema, path, around))
    values = schema.get("additionalProperties")
    if isinstance(values, Mapping):
        faults += _walk(values, f"{path}.additionalProperties", around.of_value(), checks)
    for name, child in (schema.get("properties") or {}).items():
        inner = around.of_property(schema, name, path, root=root)
        faults += _walk(child, f"{path}.properties[{name}]", inner, checks)
    for where, child in children(schema, path):
        if where.startswith((f"{path}.not", f"{path}.allOf", f"{path}.anyOf", f"{path}.oneOf")):
            faults += _walk(child, where, around, None)
    items = schema.get("items")
    if isinstance(items, Mapping):
        faults += _walk(items, f"{path}.items", around.of_item(schema, path), checks)
    if schema.get("x-kubernetes-validations") and checks is not None:
        faults += checks.faults(schema, path, around, sound=not faults)
    return faults


def _default_faults(
    schema: Mapping[str, Any], path: str, *, in_header: bool = False
) -> Iterator[FieldError]:
    """A default must be what the schema asks for: whole, without unknown fields, by its rules."""
    default = schema.get("default")
    if default is not None and not in_header:
        yield from _faults_of(default, Schema(schema), f"{path}.default")
    embedded = bool(schema.get(_EMBEDDED)) or "." not in path.partition("openAPIV3Schema")[2]
    items = schema.get("items")
    if isinstance(items, Mapping):
        yield from _default_faults(items, f"{path}.items", in_header=in_header)
    for name, child in (schema.get("properties") or {}).items():
        header = in_header or (embedded and name in HEADER)
        yield from _default_faults(child, f"{path}.properties[{name}]", in_header=header)


def _faults_of(default: Any, schema: Schema, path: str) -> Iterator[FieldError]:
    if pruned(default, schema) != default:
        yield invalid(path, default, "must not have unknown fields")
    found = []
    if schema.embedded and isinstance(default, dict):
        found = list(resource_faults(default, path))
    found = found or [
        FieldError(f"{path}.{fault.path}".rstrip("."), fault.message, fault.reason)
        for fault in value_faults(default, schema)
    ]
    yield from found or value_rule_faults(default, schema, path)
