"""Whether a CustomResourceDefinition keeps its rules, and its defaults. Pure.

The faults name the field as kube-apiserver does, so that a user's tools understand them.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shared.apimachinery.manifest import Manifest, name_of
from shared.apiserver.names import check_service_name as check_1035_label
from shared.apiserver.names import check_subdomain
from shared.apiserver.structural import check_structural
from shared.errors import FieldError

COLUMN_TYPES = ("integer", "number", "string", "boolean", "date")
_COLUMN_FORMATS = (*("byte", "date", "date-time", "double", "float", "int32", "int64", "password"),)
_SELECTABLE_MAX = 8
_REQUIRED = "FieldValueRequired"
_NOT_SUPPORTED = "FieldValueNotSupported"


def with_defaults(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return *spec* with what follows from the rest: singular, list kind, conversion."""
    changed = dict(spec)
    names = changed.get("names")
    if isinstance(names, Mapping) and isinstance(names.get("kind"), str):
        kind = names["kind"]
        changed["names"] = {"singular": kind.lower(), "listKind": f"{kind}List", **names}
    changed.setdefault("conversion", {"strategy": "None"})
    return changed


def check_definition(manifest: Manifest) -> list[FieldError]:
    """Return every fault of the definition; empty for a valid one."""
    spec = manifest.get("spec")
    if not isinstance(spec, Mapping):
        return [FieldError("spec", "must be given", _REQUIRED)]
    return [
        *_check_group(spec, name_of(manifest)),
        *_check_names(spec.get("names")),
        *_check_versions(spec.get("versions")),
        *_check_conversion(spec.get("conversion")),
    ]


def check_definition_update(old: Manifest, new: Manifest) -> list[FieldError]:
    """Return what the update may not change: established names stay, stored versions stay."""
    before, after = old.get("spec") or {}, new.get("spec") or {}
    faults = [
        FieldError("spec." + ".".join(path), "field is immutable")
        for path in (("group",), ("scope",), ("names", "plural"), ("names", "kind"))
        if _at(before, path) != _at(after, path)
    ]
    declared = {version.get("name") for version in _list(after.get("versions"))}
    stored = (old.get("status") or {}).get("storedVersions") or ()
    faults += [
        FieldError(
            f"status.storedVersions[{position}]",
            f"missing from spec.versions; {version} was previously a storage version",
        )
        for position, version in enumerate(stored)
        if version not in declared
    ]
    return faults


def _at(value: Any, path: Sequence[str]) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _list(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _entries(value: Mapping[str, Any], name: str) -> list[Any]:
    """Return the list under *name*; what is no list was refused by the schema before."""
    found = value.get(name)
    return found if isinstance(found, list) else []


def _check_group(spec: Mapping[str, Any], name: str) -> Iterator[FieldError]:
    group = spec.get("group")
    if not isinstance(group, str) or not group:
        yield FieldError("spec.group", "must be given", _REQUIRED)
    elif (fault := check_subdomain(group)) is not None:
        yield FieldError("spec.group", fault)
    elif "." not in group:
        yield FieldError("spec.group", "should be a domain with at least one dot")
    plural = _at(spec, ("names", "plural"))
    if group and plural and name != f"{plural}.{group}":
        yield FieldError("metadata.name", 'must be spec.names.plural+"."+spec.group')
    if spec.get("scope") not in ("Namespaced", "Cluster"):
        yield FieldError("spec.scope", "must be Cluster or Namespaced", _NOT_SUPPORTED)
    if spec.get("preserveUnknownFields"):
        yield FieldError(
            "spec.preserveUnknownFields",
            "must be false; use x-kubernetes-preserve-unknown-fields in the schema",
        )


def _check_names(names: Any) -> Iterator[FieldError]:
    if not isinstance(names, Mapping):
        yield FieldError("spec.names", "must be given", _REQUIRED)
        return
    for name in ("plural", "singular"):
        found = names.get(name)
        if not found:
            yield FieldError(f"spec.names.{name}", "must be given", _REQUIRED)
        elif fault := check_1035_label(str(found)):
            yield FieldError(f"spec.names.{name}", fault)
    for name in ("kind", "listKind"):
        found = names.get(name)
        if not found:
            yield FieldError(f"spec.names.{name}", "must be given", _REQUIRED)
        elif fault := check_1035_label(str(found).lower()):
            yield FieldError(f"spec.names.{name}", f"may have mixed case, but otherwise: {fault}")
    if names.get("kind") and names.get("kind") == names.get("listKind"):
        yield FieldError("spec.names.listKind", "kind and listKind may not be the same")
    for name in ("shortNames", "categories"):
        for position, found in enumerate(_entries(names, name)):
            if fault := check_1035_label(str(found)):
                yield FieldError(f"spec.names.{name}[{position}]", fault)


def _check_versions(versions: Any) -> Iterator[FieldError]:
    if not isinstance(versions, list) or not versions:
        yield FieldError("spec.versions", "must have at least one version", _REQUIRED)
        return
    seen: set[str] = set()
    for position, version in enumerate(versions):
        path = f"spec.versions[{position}]"
        if not isinstance(version, Mapping):
            yield FieldError(path, "must be an object", "FieldValueTypeInvalid")
            continue
        name = version.get("name")
        if not isinstance(name, str) or not name:
            yield FieldError(f"{path}.name", "must be given", _REQUIRED)
        elif fault := check_1035_label(name):
            yield FieldError(f"{path}.name", fault)
        elif name in seen:
            yield FieldError(f"{path}.name", f"{name!r} is given twice", "FieldValueDuplicate")
        seen.add(str(name))
        yield from _check_version(version, path)
    stored = sum(bool(version.get("storage")) for version in _list(versions))
    if stored != 1:
        yield FieldError("spec.versions", "must have exactly one version marked as storage version")


def _check_version(version: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    schema = _at(version, ("schema", "openAPIV3Schema"))
    where = f"{path}.schema.openAPIV3Schema"
    yield from check_structural(schema, where)
    yield from _check_scale(_at(version, ("subresources", "scale")), f"{path}.subresources.scale")
    for position, column in enumerate(_entries(version, "additionalPrinterColumns")):
        yield from _check_column(column, f"{path}.additionalPrinterColumns[{position}]")
    selectable = _entries(version, "selectableFields")
    if len(selectable) > _SELECTABLE_MAX:
        yield FieldError(f"{path}.selectableFields", f"must be at most {_SELECTABLE_MAX}")
    seen: set[str] = set()
    for position, selector in enumerate(selectable):
        json_path = str(_at(selector, ("jsonPath",)))
        if json_path in seen:
            where = f"{path}.selectableFields[{position}].jsonPath"
            yield FieldError(where, f"{json_path!r} is given twice", "FieldValueDuplicate")
        seen.add(json_path)
        yield from _check_selectable(
            selector, schema, f"{path}.selectableFields[{position}].jsonPath"
        )


def _check_scale(scale: Any, path: str) -> Iterator[FieldError]:
    if scale is None:
        return
    rules = (
        ("specReplicasPath", (".spec.",), True),
        ("statusReplicasPath", (".status.",), True),
        ("labelSelectorPath", (".status.", ".spec."), False),
    )
    for name, starts, required in rules:
        found = _at(scale, (name,))
        if not found:
            if required:
                yield FieldError(f"{path}.{name}", "must be given", _REQUIRED)
        elif not str(found).startswith(starts):
            yield FieldError(f"{path}.{name}", f"should be a json path under {' or '.join(starts)}")


def _check_column(column: Any, path: str) -> Iterator[FieldError]:
    if not _at(column, ("name",)):
        yield FieldError(f"{path}.name", "must be given", _REQUIRED)
    if _at(column, ("type",)) not in COLUMN_TYPES:
        yield FieldError(
            f"{path}.type", f"must be one of {', '.join(COLUMN_TYPES)}", _NOT_SUPPORTED
        )
    if (form := _at(column, ("format",))) and form not in _COLUMN_FORMATS:
        yield FieldError(f"{path}.format", f"must be one of {', '.join(_COLUMN_FORMATS)}")
    json_path = _at(column, ("jsonPath",))
    if not json_path:
        yield FieldError(f"{path}.jsonPath", "must be given", _REQUIRED)
    elif not str(json_path).startswith("."):
        yield FieldError(f"{path}.jsonPath", "must be a simple json path starting with .")


def _check_selectable(selector: Any, schema: Any, path: str) -> Iterator[FieldError]:
    json_path = str(_at(selector, ("jsonPath",)) or "")
    names = json_path.removeprefix(".").split(".")
    if not json_path.startswith(".") or not all(names) or "[" in json_path:
        yield FieldError(path, "must be a simple path, such as .spec.color")
        return
    if names[0] == "metadata":
        yield FieldError(path, "must not point into metadata")
        return
    found = schema
    for name in names:
        found = _at(found, ("properties", name))
    if _at(found, ("type",)) not in ("string", "integer", "boolean"):
        yield FieldError(path, "must point at a string, an integer or a boolean in the schema")


def _check_conversion(conversion: Any) -> Iterator[FieldError]:
    strategy = _at(conversion, ("strategy",))
    if strategy not in (None, "None", "Webhook"):
        yield FieldError("spec.conversion.strategy", "must be None or Webhook", _NOT_SUPPORTED)
    if strategy != "Webhook" and _at(conversion, ("webhook",)):
        yield FieldError(
            "spec.conversion.webhook",
            "must not be given unless strategy is Webhook",
            "FieldValueForbidden",
        )
    if strategy == "Webhook" and not _at(conversion, ("webhook",)):
        yield FieldError(
            "spec.conversion.webhook", "must be given if strategy is Webhook", _REQUIRED
        )
