"""What objects of custom kinds must keep beyond their schema and its rules. Pure.

Objects within objects (`x-kubernetes-embedded-resource`) name their kind; what the scale
subresource reads is of its types. Sources: `k8s.io/apiextensions-apiserver`,
`pkg/apiserver/schema/objectmeta` and `pkg/registry/customresource/validator.go`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from shared.apimachinery.manifest import GroupResource, Manifest
from shared.apimachinery.scalars import shown
from shared.apimachinery.schema import Schema
from shared.apiserver.json_path import first
from shared.apiserver.kinds import ResourceKind
from shared.apiserver.names import check_metadata, check_service_name
from shared.errors import FieldError

_REPLICAS_MAX = 2**31 - 1
_NO_RESOURCE = GroupResource("", "")


def content_faults(kind: ResourceKind, schema: Schema, manifest: Manifest) -> list[FieldError]:
    """Return every fault of *manifest*."""
    faults = [fault for part in manifest for fault in _embedded(manifest[part], schema, part)]
    return [*faults, *_scale_faults(kind, manifest)]


def _embedded(value: Any, parent: Schema, name: str, path: str = "") -> Iterator[FieldError]:
    schema = parent.field(name)
    if schema is None or (not path and name == "metadata"):
        return
    declared = parent.declares(name) or not path
    where = f"{path}.{name}".lstrip(".") if declared else f"{path}[{name}]"
    yield from _within(value, schema, where)


def _within(value: Any, schema: Schema, path: str) -> Iterator[FieldError]:
    if isinstance(value, list):
        for place, item in enumerate(value):
            yield from _within(item, schema.items, f"{path}[{place}]")
    elif isinstance(value, dict):
        if schema.embedded:
            yield from resource_faults(value, path)
        for name, each in value.items():
            if isinstance(each, dict | list) and not (schema.embedded and name == "metadata"):
                yield from _embedded(each, schema, name, path)


def resource_faults(value: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    """Yield the faults of an object within an object; its metadata may be left out."""
    for name in ("apiVersion", "kind"):
        if name not in value:
            yield FieldError(f"{path}.{name}", "Required value", "FieldValueRequired")
    found = value.get("apiVersion")
    if isinstance(found, str) and (not found or found.count("/") > 1):
        why = "must not be empty" if not found else f"unexpected GroupVersion string: {found}"
        yield FieldError(f"{path}.apiVersion", f"Invalid value: {shown(found)}: {why}")
    kind = value.get("kind")
    wrong = check_service_name(kind.lower()) if isinstance(kind, str) else None
    if wrong:
        why = (
            f"may have mixed case, but should otherwise match: {wrong}"
            if kind
            else "must not be empty"
        )
        yield FieldError(f"{path}.kind", f"Invalid value: {shown(kind)}: {why}")
    metadata = value.get("metadata")
    if isinstance(metadata, dict):
        named = {"name": "a", **metadata}
        for fault in check_metadata(_NO_RESOURCE, named, namespaced="namespace" in named):
            yield FieldError(f"{path}.{fault.path}", fault.message, fault.reason)


def _scale_faults(kind: ResourceKind, manifest: Manifest) -> Iterator[FieldError]:
    if kind.scale is None:
        return
    for path in (kind.scale.spec_replicas, kind.scale.status_replicas):
        found = first(path, manifest)
        if not isinstance(found, int) or isinstance(found, bool):
            continue
        if found < 0:
            why = "should be a non-negative integer"
        elif found > _REPLICAS_MAX:
            why = f"should be less than or equal to {_REPLICAS_MAX}"
        else:
            continue
        yield FieldError(path, f"Invalid value: {found}: {why}")
