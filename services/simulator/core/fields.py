"""Reading and changing parts of manifests that users wrote: absent and null are the same.

What a reader returns is shared with the store and must not be changed; a writer returns a new
manifest that shares its unchanged parts with the old one.
"""

import math
from collections.abc import Mapping
from typing import Any

from shared.apimachinery.manifest import Manifest, metadata_of
from shared.apimachinery.parts import entries, section

__all__ = [
    "controller_of",
    "controller_reference",
    "created_at",
    "entries",
    "is_deleting",
    "number",
    "section",
    "share",
    "with_metadata",
    "with_spec",
    "with_status",
    "without_zeros",
]


def number(parent: Mapping[str, Any], name: str, default: int = 0) -> int:
    found = parent.get(name)
    return found if isinstance(found, int) and not isinstance(found, bool) else default


def share(value: object, total: int, *, round_up: bool) -> int:
    """An int-or-percent of *total*; what is neither counts as zero."""
    if isinstance(value, bool):
        return 0
    if isinstance(value, int):
        return value
    if isinstance(value, str) and value.endswith("%") and value[:-1].isdigit():
        exact = int(value[:-1]) * total / 100
        return math.ceil(exact) if round_up else math.floor(exact)
    return 0


def is_deleting(manifest: Manifest) -> bool:
    return bool(metadata_of(manifest).get("deletionTimestamp"))


def created_at(manifest: Manifest) -> str:
    return str(metadata_of(manifest).get("creationTimestamp") or "")


def controller_of(manifest: Manifest) -> Mapping[str, Any]:
    """Return the owner reference that controls the object, or an empty mapping."""
    for reference in metadata_of(manifest).get("ownerReferences") or ():
        if reference.get("controller"):
            return dict(reference)
    return {}


def controller_reference(owner: Manifest) -> dict[str, Any]:
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def with_status(manifest: Manifest, status: Mapping[str, Any]) -> Manifest:
    return {**manifest, "status": dict(status)}


def with_metadata(manifest: Manifest, **parts: Any) -> Manifest:
    return {**manifest, "metadata": {**manifest["metadata"], **parts}}


def with_spec(manifest: Manifest, **parts: Any) -> Manifest:
    """Change parts of the spec, which makes a new generation."""
    generation = number(metadata_of(manifest), "generation") + 1
    changed = with_metadata(manifest, generation=generation)
    changed["spec"] = {**section(manifest, "spec"), **parts}
    return changed


def without_zeros(status: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what Go leaves out: zero counts and empty lists."""
    return {name: value for name, value in status.items() if value not in (0, None, "", [], {})}
