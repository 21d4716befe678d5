"""What a write sends, read: an object or a patch, and what a strict reader of its text finds."""

from typing import Any

from shared.apimachinery.manifest import Manifest
from shared.apimachinery.validation import validate
from shared.apiserver.requests.bodies import decode_object
from shared.apiserver.requests.decoding import refuse_text, unrecognized
from shared.apiserver.requests.duplicates import in_order_of_reading, strict_faults
from shared.apiserver.requests.negotiation import PATCH_TYPES
from shared.apiserver.serving import Call
from shared.apiserver.status_errors import ApiFault
from shared.apiserver.verbs.patch import read_document
from shared.apiserver.writing.ownership import schema_of
from shared.apiserver.writing.validation import in_order_of_pruning


def read_object(call: Call, body: bytes, media: str) -> tuple[Manifest, tuple[str, ...]]:
    """Return the object and warnings about its text; raises `ApiFault` 400."""
    try:
        manifest = decode_object(body, media)
    except ApiFault as fault:
        raise unrecognized(call.kind, body, str(fault)) from fault
    return manifest, _check_text(call, body, media, manifest)


def read_patch(call: Call, body: bytes, media: str) -> tuple[Any, tuple[str, ...]]:
    """Return the patch and warnings about its text; raises `ApiFault` 400 and 422."""
    document = read_document(body, media)
    return document, _check_text(call, body, media, document)


def _check_text(call: Call, body: bytes, media: str, decoded: Any) -> tuple[str, ...]:
    """Return warnings about fields given twice; raises `ApiFault` where that is forbidden."""
    level = call.options.field_validation
    if level == "Ignore":
        return ()
    found = strict_faults(body, media, decoded)
    if found and level == "Strict":
        if media not in PATCH_TYPES:
            # Of a whole object everything is told at once.
            found += [f'unknown field "{path}"' for path in _unknown(call, decoded)]
            found = found if call.kind.custom else in_order_of_reading(body, media, found)
        raise refuse_text(call.kind, decoded, media, found)
    return tuple(found)


def _unknown(call: Call, manifest: Manifest) -> list[str]:
    if call.kind.schema is None:
        return []
    return in_order_of_pruning(validate(manifest, schema_of(call.kind)).unknown)
