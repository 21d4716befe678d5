"""Whether a body is of the kind, the name and the namespace that its URL names. Pure."""

from typing import Any

from shared.apimachinery.manifest import GroupVersionKind, Manifest
from shared.apimachinery.scalars import shown
from shared.apiserver.kinds import ResourceKind
from shared.apiserver.serving import Call
from shared.apiserver.status_errors import ApiFault, bad_request, invalid
from shared.errors import FieldError

_SHOWN_MAX = 80


def of_kind(kind: ResourceKind, manifest: Manifest) -> Manifest:
    """Return *manifest* with its kind and version, which built-in kinds may leave out.

    Raises `ApiFault`: 400 for another version, 400 or, of custom kinds, 422 for another kind.
    """
    api_version, name = manifest.get("apiVersion") or "", manifest.get("kind") or ""
    if not isinstance(api_version, str) or not isinstance(name, str):
        raise bad_request("apiVersion and kind must be strings")
    api_version, name = api_version[:_SHOWN_MAX], name[:_SHOWN_MAX]
    expected = kind.gvk
    if kind.custom:
        if not name:
            text = f"Object 'Kind' is missing in '{shown(manifest)}'"
            raise bad_request(
                f"the object provided is unrecognized (must be of type {expected.kind}): {text}"
            )
    else:
        api_version, name = api_version or expected.api_version, name or expected.kind
        if name != expected.kind:
            version = api_version.rpartition("/")[2]
            hub = expected.group.partition(".")[0] or "core"
            raise bad_request(
                f'{name} in version "{version}" cannot be handled as a {expected.kind}: converting '
                f"({version}.{name}) to ({hub}.{expected.kind}): unknown conversion"
            )
    if api_version != expected.api_version:
        raise bad_request(
            f"the API version in the data ({api_version}) does not match the expected API version "
            f"({expected.api_version})"
        )
    if name != expected.kind:
        fault = FieldError("kind", f"Invalid value: {shown(name)}: must be {expected.kind}")
        raise invalid(expected._replace(kind=name), _name(manifest.get("metadata")), [fault])
    return {**manifest, "apiVersion": api_version, "kind": name}


def require_place(call: Call, metadata: Any) -> None:
    """Raise `ApiFault` 400 unless *metadata* has the URL's name, and no other namespace."""
    if metadata is not None and not isinstance(metadata, dict):
        raise bad_request("metadata must be an object")
    namespace = (metadata or {}).get("namespace")
    if call.kind.namespaced and namespace not in (None, "", call.namespace):
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    name = _name(metadata)
    if not name:
        raise bad_request(
            f"the name of the object ({call.name} based on URL) was undeterminable: "
            "name must be provided"
        )
    if name != call.name:
        raise _other_name(name, call.name)


def read_configuration(gvk: GroupVersionKind, call: Call, document: Manifest) -> Manifest:
    """Return what is applied; raises `ApiFault` 400 unless it is of *gvk* and of the URL's name."""
    found = GroupVersionKind.of(document)
    if found != gvk:
        raise bad_request(f"invalid object type: {found.group}/{found.version}, Kind={found.kind}")
    metadata = document.get("metadata")
    if isinstance(metadata, dict) and metadata.get("managedFields") is not None:
        raise bad_request("metadata.managedFields must be nil")
    require_place(call, metadata)
    return document


def _other_name(found: str, wanted: str) -> ApiFault:
    return bad_request(
        f"the name of the object ({found}) does not match the name on the URL ({wanted})"
    )


def _name(metadata: Any) -> str:
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) else ""
