"""The versions of a definition, and what belongs to each: columns, subresources, selectors."""

import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

from shared.apiserver.definitions.paths import field_at
from shared.apiserver.definitions.reading import at, entries, mappings
from shared.apiserver.definitions.schemas import check_schema
from shared.apiserver.names import check_service_name as check_1035_label
from shared.apiserver.semantics.faults import duplicate, invalid, required, too_many
from shared.errors import FieldError

SELECTABLE_MAX = 8
_WARNING_MAX = 256
_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
_COLUMN_FORMATS = ("byte", "date", "date-time", "double", "float", "int32", "int64", "password")
_SELECTABLE = (
    "must point to a field of type string, boolean or integer. Enum string fields and strings "
    "with formats are allowed."
)
# What is alike in all versions, and the field of the definition that stands for it.
_SHARED = {
    "schema": "spec.validation",
    "subresources": "spec.subresources",
    "additionalPrinterColumns": "spec.additionalPrinterColumns",
    "selectableFields": "spec.selectableFields",
}


def check_versions(spec: Mapping[str, Any], old: Mapping[str, Any]) -> Iterator[FieldError]:
    """*old*: the spec before, {} for a new definition."""
    versions = mappings(spec.get("versions"))
    for place, version in enumerate(versions):
        if at(version, "schema", "openAPIV3Schema") is None:
            yield required(f"spec.versions[{place}].schema.openAPIV3Schema")
    shared = {name for name in _SHARED if _is_shared(versions, name)}
    for place, version in enumerate(versions):
        path = f"spec.versions[{place}]"
        name = str(version.get("name") or "")
        if fault := check_1035_label(name):
            yield invalid(f"{path}.name", name, fault)
        yield from _check_deprecation(version, f"{path}.deprecationWarning")
        own = {part: f"{path}.{part}" for part in _SHARED if part not in shared}
        yield from _check_version(version, own, old)
    names = [str(version.get("name")) for version in versions]
    if len(set(names)) != len(names):
        yield invalid("spec.versions", _shown(versions), "must contain unique version names")
    if sum(bool(version.get("storage")) for version in versions) != 1:
        why = "must have exactly one version marked as storage version"
        yield invalid("spec.versions", _shown(versions), why)
    if versions:
        common = {part: where for part, where in _SHARED.items() if part in shared}
        yield from _check_version(versions[0], common, old)


def _is_shared(versions: list[Mapping[str, Any]], name: str) -> bool:
    first = versions[0].get(name) if versions else None
    return bool(first) and all(version.get(name) == first for version in versions)


def _shown(versions: list[Mapping[str, Any]]) -> list[dict[str, Any]] | None:
    found = [
        {
            "Name": version.get("name"),
            "Served": bool(version.get("served")),
            "Storage": bool(version.get("storage")),
        }
        for version in versions
    ]
    return found or None


def _check_deprecation(version: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    text = version.get("deprecationWarning")
    if text is None:
        return
    if not version.get("deprecated"):
        yield invalid(path, text, "can only be set for deprecated versions")
        return
    if len(str(text).encode()) > _WARNING_MAX:
        yield invalid(path, text, f"must be <= {_WARNING_MAX} characters long")
    if not text:
        yield invalid(path, text, "must not be an empty string")
    for place, letter in enumerate(str(text)):
        if not letter.isprintable() or unicodedata.category(letter) == "Cc":
            why = f"non-printable character found at index {place}"
            yield invalid(path, text, f"must only contain printable UTF-8 characters; {why}")
            break


def _check_version(
    version: Mapping[str, Any], parts: Mapping[str, str], old: Mapping[str, Any]
) -> Iterator[FieldError]:
    """Check those *parts* of a version that are named, each under its path."""
    schema = at(version, "schema", "openAPIV3Schema")
    if where := parts.get("schema"):
        has_status = at(version, "subresources", "status") is not None
        before = [at(one, "schema", "openAPIV3Schema") for one in mappings(old.get("versions"))]
        # An unchanged schema was judged when it was new.
        if schema is not None and schema not in before:
            yield from check_schema(schema, f"{where}.openAPIV3Schema", has_status=has_status)
    if where := parts.get("subresources"):
        yield from _check_scale(at(version, "subresources", "scale"), f"{where}.scale")
    if where := parts.get("additionalPrinterColumns"):
        for place, column in enumerate(entries(version, "additionalPrinterColumns")):
            yield from _check_column(column, f"{where}[{place}]")
    if where := parts.get("selectableFields"):
        yield from _check_selectable(entries(version, "selectableFields"), schema, where)


def _check_scale(scale: Any, path: str) -> Iterator[FieldError]:
    if scale is None:
        return
    rules = (
        ("specReplicasPath", (".spec.",), "should be a json path under .spec"),
        ("statusReplicasPath", (".status.",), "should be a json path under .status"),
        (
            "labelSelectorPath",
            (".spec.", ".status."),
            "should be a json path under either .spec or .status",
        ),
    )
    for name, starts, why in rules:
        found = at(scale, name)
        if not found:
            if name != "labelSelectorPath":
                yield required(f"{path}.{name}")
        elif not str(found).startswith("."):
            yield invalid(f"{path}.{name}", found, "must be a simple json path starting with .")
        elif not str(found).startswith(starts):
            yield invalid(f"{path}.{name}", found, why)


def _check_column(column: Any, path: str) -> Iterator[FieldError]:
    if not at(column, "name"):
        yield required(f"{path}.name")
    kind, form, json_path = at(column, "type"), at(column, "format"), at(column, "jsonPath")
    one_of_types = f"must be one of {','.join(_COLUMN_TYPES)}"
    if not kind:
        yield required(f"{path}.type", one_of_types)
    elif kind not in _COLUMN_TYPES:
        yield invalid(f"{path}.type", kind, one_of_types)
    if form and form not in _COLUMN_FORMATS:
        yield invalid(f"{path}.format", form, f"must be one of {','.join(_COLUMN_FORMATS)}")
    if not json_path:
        yield required(f"{path}.JSONPath")
    elif not str(json_path).startswith("."):
        yield invalid(f"{path}.JSONPath", json_path, "must be a simple json path starting with .")


def _check_selectable(selectors: list[Any], schema: Any, path: str) -> Iterator[FieldError]:
    seen: set[str] = set()
    for place, selector in enumerate(selectors):
        where = f"{path}[{place}].jsonPath"
        json_path = str(at(selector, "jsonPath") or "")
        if not json_path:
            yield required(where)
            continue
        found, fault = field_at(schema, json_path, brackets=False)
        if fault is not None:
            yield invalid(where, json_path, f"is an invalid path: {fault}")
            continue
        if json_path.startswith(".metadata"):
            yield invalid(where, json_path, "must not point to fields in metadata")
        if at(found, "type") not in ("string", "boolean", "integer"):
            yield invalid(where, json_path, _SELECTABLE)
        if json_path in seen:
            yield duplicate(where, json_path)
        seen.add(json_path)
    if len(seen) > SELECTABLE_MAX:
        yield too_many(path, len(seen), SELECTABLE_MAX)
