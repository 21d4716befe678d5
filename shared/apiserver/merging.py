"""Patches of every type upon an object of a kind."""

from typing import Any

from shared.apimachinery.manifest import Manifest
from shared.apiserver.kinds import ResourceKind
from shared.apiserver.serving import Call


def merge(
    kind: ResourceKind | None, old: Manifest, document: Any, media: str, *, name: str
) -> Manifest:
    """Return *old* with *document* merged in; shares what did not change."""
    del kind, media, name
    merged: Manifest = _merge(old, document)
    return merged


def _merge(old: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    merged = dict(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merge(merged.get(key), value)
    return merged


def apply_configuration(
    call: Call, old: Manifest | None, document: Manifest, *, now: str
) -> Manifest:
    del call, now
    metadata = {**document.get("metadata", {}), "managedFields": []}
    merged: Manifest = _merge(old or {}, {**document, "metadata": metadata})
    return merged
