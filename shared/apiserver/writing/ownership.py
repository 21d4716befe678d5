"""Who manages which field: `metadata.managedFields` of every write but apply."""

from shared.apimachinery.apply import Writer, track_update
from shared.apimachinery.manifest import Manifest
from shared.apimachinery.schema import ANYTHING, Schema, node
from shared.apiserver.kinds import ResourceKind
from shared.apiserver.serving import Call


def schema_of(kind: ResourceKind) -> Schema:
    """Return the schema that says how fields of *kind* merge; anything where it has none."""
    return ANYTHING if kind.schema is None else node(kind.schema)


def track(
    kind: ResourceKind, old: Manifest | None, new: Manifest, call: Call, *, now: str
) -> Manifest:
    """Return *new* with the writer's fields noted in its (own) metadata."""
    subresource = call.subresource if call.subresource in ("status", "scale") else ""
    writer = Writer(call.options.field_manager, kind.gvk.api_version, now, subresource)
    managed = track_update(old, new, writer, schema_of(kind))
    metadata = dict(new["metadata"])
    if managed:
        metadata["managedFields"] = managed
    else:
        metadata.pop("managedFields", None)
    return {**new, "metadata": metadata}
