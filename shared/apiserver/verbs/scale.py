"""The `scale` subresource: an object's replicas as an `autoscaling/v1 Scale`."""

from collections.abc import Callable
from typing import Any

from shared.apimachinery.manifest import GroupVersionKind, Manifest
from shared.apimachinery.scale_ownership import pass_on
from shared.apiserver.admission import Write
from shared.apiserver.json_path import first
from shared.apiserver.kinds import ScalePaths
from shared.apiserver.life.changes import prepare_update
from shared.apiserver.serving import Call, Serving
from shared.apiserver.status_errors import bad_request, invalid, invalid_object, unknown_path
from shared.apiserver.verbs.transact import transact
from shared.apiserver.verbs.update import check_version
from shared.apiserver.writing.addressed import read_configuration, require_place
from shared.apiserver.writing.merging import apply_scale_configuration
from shared.apiserver.writing.ownership import track
from shared.apiserver.writing.validation import conform, read
from shared.errors import FieldError, InvalidObject
from shared.store.port import Stored

_API_VERSION = "autoscaling/v1"
_GVK = GroupVersionKind.parse(_API_VERSION, "Scale")
_COPIED = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
REPLICAS_MAX = 2**31 - 1


def paths_of(call: Call) -> ScalePaths:
    """Raise `ApiFault` 404 for a kind that does not scale."""
    if call.kind.scale is None:
        raise unknown_path()
    return call.kind.scale


def scale_of(paths: ScalePaths, manifest: Manifest) -> Manifest:
    """Return the Scale of an object; absent numbers are 0."""
    metadata = manifest["metadata"]
    replicas = first(paths.spec_replicas, manifest)
    observed = first(paths.status_replicas, manifest)
    status: dict[str, Any] = {"replicas": observed if isinstance(observed, int) else 0}
    selector = first(paths.label_selector, manifest) if paths.label_selector else None
    text = selector if isinstance(selector, str) else _selector_text(selector)
    if text:
        status["selector"] = text
    return {
        "kind": "Scale",
        "apiVersion": _API_VERSION,
        "metadata": {part: metadata[part] for part in _COPIED if part in metadata},
        "spec": {"replicas": replicas} if isinstance(replicas, int) else {},
        "status": status,
    }


def _selector_text(selector: Any) -> str:
    """Write a label selector as a query string has it."""
    if not isinstance(selector, dict):
        return ""
    if "matchLabels" not in selector and "matchExpressions" not in selector:
        return ",".join(f"{key}={value}" for key, value in sorted(selector.items()))
    parts = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for one in selector.get("matchExpressions") or []:
        values = ",".join(sorted(one.get("values") or []))
        match one.get("operator"):
            case "In":
                parts.append(f"{one['key']} in ({values})")
            case "NotIn":
                parts.append(f"{one['key']} notin ({values})")
            case "Exists":
                parts.append(one["key"])
            case "DoesNotExist":
                parts.append(f"!{one['key']}")
    return ",".join(parts)


async def write_scale(
    serving: Serving, call: Call, change: Callable[[Manifest], Manifest]
) -> Stored:
    """Give the object the replicas of what *change* makes of its Scale; returns the new object."""
    paths = paths_of(call)

    def compute(stored: Stored) -> Manifest:
        wanted = change(scale_of(paths, serving.shown(call.resource, stored.manifest)))
        new = _scaled(serving, call, stored, wanted)
        return _tracked(serving, call, stored.manifest, new)

    return (await transact(serving, call, call.key, compute)).stored


async def apply_scale(serving: Serving, call: Call, document: Manifest) -> Stored:
    """Apply a Scale server-side; returns the new object. Raises `ApiFault` as `apply` does."""
    paths = paths_of(call)
    document = read_configuration(_GVK, call, document)

    def compute(stored: Stored) -> Manifest:
        scale = scale_of(paths, serving.shown(call.resource, stored.manifest))
        applied, managed = apply_scale_configuration(
            call, scale, document, stored.manifest, now=serving.now()
        )
        # Given up by its last owner, the number stays: zero would stop the work.
        wanted = {**applied, "spec": {**scale["spec"], **(applied.get("spec") or {})}}
        wanted["metadata"] = document["metadata"]
        new = _scaled(serving, call, stored, wanted)
        return {**new, "metadata": {**new["metadata"], "managedFields": managed}}

    return (await transact(serving, call, call.key, compute)).stored


def _tracked(serving: Serving, call: Call, old: Manifest, new: Manifest) -> Manifest:
    tracked = track(call.kind, old, new, call, now=serving.now())["metadata"]
    managed = pass_on(
        old["metadata"].get("managedFields") or (),
        paths_of(call).spec_replicas.lstrip(".").split("."),
        tracked.get("managedFields") or (),
    )
    metadata = {part: value for part, value in tracked.items() if part != "managedFields"}
    return {**new, "metadata": {**metadata, **({"managedFields": managed} if managed else {})}}


def _scaled(serving: Serving, call: Call, stored: Stored, wanted: Manifest) -> Manifest:
    """Return the object with the replicas of the Scale *wanted*; raises `ApiFault`."""
    check_version(call, stored, wanted.get("metadata"))
    replicas = _read_replicas(call, wanted)
    new = _with_replicas(stored.manifest, paths_of(call).spec_replicas, replicas)
    new = prepare_update(call.kind, stored.manifest, new)
    # The rules of its kind hold for the whole object, whoever changes a number of it.
    new = conform(call.kind, read(call.kind, stored.manifest, new, "Ignore"))
    try:
        serving.admission.admit(Write(call.kind, stored.manifest, new))
    except InvalidObject as err:
        raise invalid_object(call.kind.gvk, call.name, err) from err
    return new


def _read_replicas(call: Call, scale: Manifest) -> int:
    if scale.get("kind") != "Scale":
        raise bad_request(f"expected a Scale, not {str(scale.get('kind'))[:80]}")
    require_place(call, scale.get("metadata"))
    spec = scale.get("spec")
    replicas = spec.get("replicas", 0) if isinstance(spec, dict) else None
    if isinstance(replicas, bool) or not isinstance(replicas, int):
        fault = FieldError("spec.replicas", "must be an integer", "FieldValueTypeInvalid")
        raise invalid(call.kind.gvk, call.name, [fault])
    if not 0 <= replicas <= REPLICAS_MAX:
        if call.kind.custom:
            why = f"Invalid value: {replicas}: should be a non-negative integer"
            path = paths_of(call).spec_replicas
            raise invalid(call.kind.gvk, call.name, [FieldError(path, why)])
        why = f"Invalid value: {replicas}: must be greater than or equal to 0"
        raise invalid(_GVK, call.name, [FieldError("spec.replicas", why)])
    return replicas


def _with_replicas(manifest: Manifest, path: str, replicas: int) -> Manifest:
    """Return *manifest* with the number at *path*; copies only what is on the way."""
    *parents, last = path.lstrip(".").split(".")
    changed = dict(manifest)
    place: dict[str, Any] = changed
    for part in parents:
        child = place.get(part)
        place[part] = dict(child) if isinstance(child, dict) else {}
        place = place[part]
    place[last] = replicas
    return changed
