"""The annotation of client-side apply, where `kubectl apply --server-side` takes over from it.

What client-side apply once set belongs to the manager of that write, so the same user's first
server-side apply would conflict with himself. Where the live value is still the one that the
annotation holds, no conflict is meant. Only the manager `kubectl` is taken for that user. Source:
`managedfields/internal/lastappliedmanager.go` of k8s.io/apimachinery.
"""

from typing import Any

import msgspec

from shared.apimachinery.differing import compare, fields_of
from shared.apimachinery.field_sets import FieldSet, UntypedConfiguration, subtract
from shared.apimachinery.manifest import Manifest, annotations_of, decode, encode, metadata_of
from shared.apimachinery.schema import Schema

ANNOTATION = "kubectl.kubernetes.io/last-applied-configuration"
MANAGER = "kubectl"


def fields_still_as_applied(live: Manifest, api_version: str, schema: Schema) -> FieldSet:
    """Fields of the annotation whose live value is the same; none where it cannot be read."""
    text = annotations_of(live).get(ANNOTATION)
    if not isinstance(text, str) or not text:
        return {}
    try:
        applied = decode(text.encode())
        if applied.get("apiVersion") != api_version:
            return {}
        fields = fields_of(applied, schema.as_object(), strict=True)
    except (msgspec.DecodeError, UntypedConfiguration, AttributeError):
        return {}
    difference = compare(applied, live, schema.as_object())
    return subtract(subtract(fields, difference.changed), difference.removed)


def with_last_applied(merged: Manifest, applied: Manifest) -> Manifest:
    """Return *merged* with the annotation brought up to date, where it has one."""
    if not annotations_of(merged).get(ANNOTATION):
        return merged
    document = applied
    if ANNOTATION in annotations_of(applied):
        annotations = {
            name: value for name, value in annotations_of(applied).items() if name != ANNOTATION
        }
        document = {**applied, "metadata": {**metadata_of(applied), "annotations": annotations}}
    metadata: dict[str, Any] = dict(metadata_of(merged))
    text = encode(document).decode() + "\n"
    metadata["annotations"] = {**metadata["annotations"], ANNOTATION: text}
    return {**merged, "metadata": metadata}
