"""Who manages which field: `metadata.managedFields` of every write but apply."""

from shared.apimachinery.apply import Writer, track_update
from shared.apimachinery.manifest import Manifest
from shared.apimachinery.schema import ANYTHING, Schema, node
from shared.apiserver.kinds import ResourceKind
from shared.apiserver.life.marks import EPHEMERAL, NAMESPACES, STATUS_AT_CREATION
from shared.apiserver.serving import Call

# Parts of an object whose writers are told apart by them.
_NAMED = ("status", "scale", EPHEMERAL)


def schema_of(kind: ResourceKind) -> Schema:
    """Return the schema that says how fields of *kind* merge; anything where it has none."""
    return ANYTHING if kind.schema is None else node(kind.schema)


def _without_ours(kind: ResourceKind, new: Manifest) -> Manifest:
    """Return a new object without what the server began it with, which is nobody's."""
    ours = (
        {"status"} if kind.has_status and kind.group_resource not in STATUS_AT_CREATION else set()
    )
    if kind.group_resource == NAMESPACES:
        ours.add("spec")
    return {part: value for part, value in new.items() if part not in ours}


def track(
    kind: ResourceKind, old: Manifest | None, new: Manifest, call: Call, *, now: str
) -> Manifest:
    """Return *new* with the writer's fields noted in its (own) metadata."""
    subresource = call.subresource if call.subresource in _NAMED else ""
    writer = Writer(call.options.field_manager, kind.gvk.api_version, now, subresource)
    written = new if old is not None else _without_ours(kind, new)
    managed = track_update(old, written, writer, schema_of(kind))
    metadata = dict(new["metadata"])
    if managed:
        metadata["managedFields"] = managed
    else:
        metadata.pop("managedFields", None)
    return {**new, "metadata": metadata}
