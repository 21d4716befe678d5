"""What a few built-in kinds do with their contents when written, beyond their schema. Pure."""

import base64

from shared.apimachinery.manifest import GroupResource, Manifest
from shared.apimachinery.parts import section
from shared.apiserver.kinds import ResourceKind
from shared.apiserver.life.marks import DEFINITION_FINALIZER, DEFINITIONS
from shared.apiserver.semantics.changes import held_addresses

_SECRETS = GroupResource("", "secrets")
_SERVICES = GroupResource("", "services")
# Kinds that are labelled as their pods are, unless they say otherwise.
_LABELLED_AS_PODS = frozenset(
    {GroupResource("", "replicationcontrollers"), GroupResource("batch", "jobs")}
)
_EXTERNAL = "ExternalName"
_CONFIG_MAPS = GroupResource("", "configmaps")


def prepare_content(kind: ResourceKind, new: Manifest) -> Manifest:
    """Return *new* as its kind stores it."""
    resource = kind.group_resource
    if resource == _SECRETS:
        return _fold_string_data(_said_empty(new))
    if resource == _CONFIG_MAPS:
        return _said_empty(new)
    if resource == DEFINITIONS:
        return _hold_definition(new)
    if resource in _LABELLED_AS_PODS:
        return _labelled_as_pods(new)
    return new


def keep_allocated(kind: ResourceKind, old: Manifest, new: Manifest) -> Manifest:
    """Return *new* with the address that its Service had, where the writer leaves it out."""
    before, after = old.get("spec"), new.get("spec")
    if kind.group_resource != _SERVICES or not (
        isinstance(before, dict) and isinstance(after, dict) and held_addresses(before)
    ):
        return new
    if _EXTERNAL in (before.get("type"), after.get("type")) or after.get("clusterIP"):
        return new
    kept = {part: before[part] for part in ("clusterIP", "clusterIPs") if part in before}
    return {**new, "spec": {**after, **kept}}


def _said_empty(new: Manifest) -> Manifest:
    """A key with a null in the place of its value is there, and empty."""
    found = dict(new)
    for part in ("data", "binaryData", "stringData"):
        entries = new.get(part)
        if isinstance(entries, dict) and None in entries.values():
            found[part] = {key: "" if each is None else each for key, each in entries.items()}
    return found


def _labelled_as_pods(new: Manifest) -> Manifest:
    """Labels are what objects are selected by, so that this default is stored."""
    metadata = new["metadata"]
    labels = section(new, "spec", "template", "metadata").get("labels")
    if metadata.get("labels") or not isinstance(labels, dict):
        return new
    return {**new, "metadata": {**metadata, "labels": labels}}


def _hold_definition(new: Manifest) -> Manifest:
    """A definition stays until its objects are gone (`emptying`)."""
    metadata = new["metadata"]
    finalizers = metadata.get("finalizers") or []
    if metadata.get("deletionTimestamp") or DEFINITION_FINALIZER in finalizers:
        return new
    return {**new, "metadata": {**metadata, "finalizers": [*finalizers, DEFINITION_FINALIZER]}}


def _fold_string_data(new: Manifest) -> Manifest:
    """`stringData` is a convenience of writers: it is stored in `data`."""
    if not new.get("type"):
        new = {**new, "type": "Opaque"}
    text, data = new.get("stringData") or {}, new.get("data") or {}
    if not isinstance(text, dict) or not all(isinstance(value, str) for value in text.values()):
        # Its schema refuses it.
        return new
    if text and isinstance(data, dict):
        encoded = {name: base64.b64encode(each.encode()).decode() for name, each in text.items()}
        new = {**new, "data": {**data, **encoded}}
    return {part: value for part, value in new.items() if part != "stringData"}
