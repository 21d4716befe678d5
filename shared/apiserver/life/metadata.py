"""Metadata as a writer sends it, and what of it is the server's."""

from typing import Any

from shared.apimachinery.manifest import Manifest
from shared.apiserver.kinds import ResourceKind
from shared.apiserver.status_errors import bad_request

SERVER_OWNED = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
)
_NAME_LABEL = "kubernetes.io/metadata.name"


def metadata_for_write(manifest: Manifest) -> dict[str, Any]:
    """Return a copy of the metadata to write into; raises `ApiFault` 400 if it is no object."""
    found = manifest.get("metadata")
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise bad_request("metadata must be an object")
    return dict(found)


def place(kind: ResourceKind, metadata: dict[str, Any], namespace: str) -> None:
    """Put the object where the URL says; raises `ApiFault` 400 where it says otherwise."""
    if not kind.namespaced:
        metadata.pop("namespace", None)
        return
    if metadata.get("namespace") not in (None, "", namespace):
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    metadata["namespace"] = namespace


def label_by_name(metadata: dict[str, Any]) -> None:
    """Every namespace can be selected by its name (KEP-2161)."""
    name, labels = metadata.get("name"), metadata.get("labels")
    if isinstance(name, str) and (labels is None or isinstance(labels, dict)):
        metadata["labels"] = {**(labels or {}), _NAME_LABEL: name}
