"""The overriders of labels and annotations."""

from typing import Literal

from services.propagator.core.overriders.refusal import NotApplicable
from shared.api.override import MapOverrider
from shared.apimachinery.manifest import Manifest, metadata_of


def override_map(
    manifest: Manifest, overrider: MapOverrider, field: Literal["labels", "annotations"]
) -> None:
    metadata = metadata_of(manifest)
    before = metadata.get(field) or {}
    if not isinstance(before, dict):
        raise NotApplicable(f"metadata.{field} is not a map")
    entries = dict(before)
    for name, value in overrider.value.items():
        if overrider.operator == "remove":
            entries.pop(name, None)
        elif overrider.operator == "add" or name in entries:
            entries[name] = value
    if entries != before:
        metadata[field] = entries
