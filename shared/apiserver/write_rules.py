"""What a few built-in kinds do with their contents when written, beyond their schema. Pure."""

import base64
from typing import Any

from shared.apimachinery.manifest import GroupResource, Manifest
from shared.apiserver.kinds import ResourceKind
from shared.apiserver.life import DEFINITION_FINALIZER, DEFINITIONS
from shared.apiserver.status_errors import invalid
from shared.errors import FieldError

# Fields that may not change once set, as paths of two steps.
_IMMUTABLE: dict[GroupResource, tuple[tuple[str, str], ...]] = {
    GroupResource("apps", "deployments"): (("spec", "selector"),),
    GroupResource("apps", "replicasets"): (("spec", "selector"),),
    GroupResource("apps", "daemonsets"): (("spec", "selector"),),
    GroupResource("apps", "statefulsets"): (
        ("spec", "selector"),
        ("spec", "serviceName"),
        ("spec", "podManagementPolicy"),
        ("spec", "volumeClaimTemplates"),
    ),
    GroupResource("batch", "jobs"): (("spec", "selector"), ("spec", "completionMode")),
}
_IMMUTABLE_ROOTS: dict[GroupResource, tuple[str, ...]] = {
    GroupResource("", "secrets"): ("type",),
    GroupResource("storage.k8s.io", "storageclasses"): ("provisioner", "parameters"),
    GroupResource("rbac.authorization.k8s.io", "rolebindings"): ("roleRef",),
    GroupResource("rbac.authorization.k8s.io", "clusterrolebindings"): ("roleRef",),
}
_JOBS = GroupResource("batch", "jobs")
_SECRETS = GroupResource("", "secrets")
_CONFIG_MAPS = GroupResource("", "configmaps")


def prepare_content(kind: ResourceKind, old: Manifest | None, new: Manifest) -> Manifest:
    """Return *new* as its kind stores it; raises `ApiFault` 422 for a change that may not be."""
    resource = kind.group_resource
    if resource == _SECRETS:
        new = _fold_string_data(kind, new)
    elif resource == DEFINITIONS:
        new = _hold_definition(new)
    if old is not None:
        faults = _immutable_faults(resource, old, new)
        if faults:
            raise invalid(kind.gvk, str(new["metadata"].get("name", "")), faults)
    return new


def _hold_definition(new: Manifest) -> Manifest:
    """A definition stays until its objects are gone (`emptying`)."""
    metadata = new["metadata"]
    finalizers = metadata.get("finalizers") or []
    if metadata.get("deletionTimestamp") or DEFINITION_FINALIZER in finalizers:
        return new
    return {**new, "metadata": {**metadata, "finalizers": [*finalizers, DEFINITION_FINALIZER]}}


def _fold_string_data(kind: ResourceKind, new: Manifest) -> Manifest:
    """`stringData` is a convenience of writers: it is stored in `data`."""
    text = new.get("stringData")
    data = new.get("data") or {}
    if isinstance(text, dict) and text and isinstance(data, dict):
        merged = {**data}
        for name, value in text.items():
            if not isinstance(value, str):
                fault = FieldError(f"stringData.{name}", "Invalid value: must be a string")
                raise invalid(kind.gvk, str(new["metadata"].get("name", "")), [fault])
            merged[name] = base64.b64encode(value.encode()).decode()
        new = {**new, "data": merged}
    if "stringData" in new:
        new = {part: value for part, value in new.items() if part != "stringData"}
    if "type" not in new:
        new = {**new, "type": "Opaque"}
    return new


def _immutable_faults(resource: GroupResource, old: Manifest, new: Manifest) -> list[FieldError]:
    faults: list[FieldError] = []
    faults += [
        _forbidden(f"{first}.{second}", "field is immutable")
        for first, second in _IMMUTABLE.get(resource, ())
        if _differs_once_set(old.get(first), new.get(first), second)
    ]
    faults += [
        _forbidden(part, "field is immutable")
        for part in _IMMUTABLE_ROOTS.get(resource, ())
        if _differs_once_set(old, new, part)
    ]
    # One that is suspended may still be told where and how to run.
    running = resource == _JOBS and (old.get("spec") or {}).get("suspend") is not True
    if running and _differs_once_set(old.get("spec"), new.get("spec"), "template"):
        faults.append(_forbidden("spec.template", "field is immutable"))
    if resource in (_SECRETS, _CONFIG_MAPS) and old.get("immutable") is True:
        faults.extend(
            _forbidden(part, "field is immutable when `immutable` is set")
            for part in ("data", "binaryData", "immutable")
            if old.get(part) != new.get(part)
        )
    return faults


def _differs_once_set(old: Any, new: Any, part: str) -> bool:
    before = old.get(part) if isinstance(old, dict) else None
    after = new.get(part) if isinstance(new, dict) else None
    return before is not None and before != after


def _forbidden(path: str, why: str) -> FieldError:
    return FieldError(path, f"Invalid value: {why}")
