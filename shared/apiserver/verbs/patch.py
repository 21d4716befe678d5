"""PATCH: an object changes by JSON patch, merge patch, strategic merge patch or apply."""

from collections.abc import Callable
from typing import Any

from shared.apimachinery.manifest import Manifest
from shared.apiserver.aside import aside
from shared.apiserver.kinds import ResourceKind
from shared.apiserver.requests.bodies import decode_body
from shared.apiserver.requests.decoding import patch_cannot_be_applied
from shared.apiserver.requests.negotiation import (
    APPLY_PATCH,
    JSON_PATCH,
    MERGE_PATCH,
    PATCH_TYPES,
    STRATEGIC_PATCH,
    unsupported_media_type,
)
from shared.apiserver.serving import Call, Outcome, Serving
from shared.apiserver.status_errors import ApiFault, bad_request, conflict, not_found
from shared.apiserver.verbs.create import prepare_new
from shared.apiserver.verbs.transact import transact
from shared.apiserver.verbs.update import check_version, prepare_changed, without_shown
from shared.apiserver.writing.addressed import of_kind, read_configuration, require_place
from shared.apiserver.writing.merging import apply_configuration, merge
from shared.apiserver.writing.validation import Source, StrategicPatch, require_header
from shared.errors import AlreadyExists
from shared.store.port import Revision, Stored

APPLY_ATTEMPTS = 5
_CUSTOM_TYPES = tuple(media for media in PATCH_TYPES if media != STRATEGIC_PATCH)
# How an error in the text of each begins.
_DECODING = {
    JSON_PATCH: "error decoding patch: ",
    MERGE_PATCH: "error decoding patch: ",
    APPLY_PATCH: "error decoding YAML: ",
}


def check_media(kind: ResourceKind, media: str) -> str:
    """Return *media* if it is a patch of this kind; raises `ApiFault` 415."""
    if media not in PATCH_TYPES:
        # The router of kube-apiserver refuses what no kind takes, and says no more.
        raise ApiFault(415, "415: Unsupported Media Type")
    supported = _CUSTOM_TYPES if kind.custom or kind.schema is None else PATCH_TYPES
    if media not in supported:
        raise unsupported_media_type(supported)
    return media


def read_document(body: bytes, media: str) -> Any:
    """A list of operations for a JSON patch, an object for the others; raises `ApiFault` 400."""
    decoding = _DECODING.get(media, "")
    try:
        document = decode_body(body, media)
    except ApiFault as fault:
        raise bad_request(f"{decoding}{fault}") from fault
    wanted = list if media == JSON_PATCH else dict
    if not isinstance(document, wanted):
        what = "a list of operations" if wanted is list else "an object"
        raise bad_request(f"{decoding}a patch of this type must be {what}")
    if wanted is list and any(each is not None and not isinstance(each, dict) for each in document):
        raise bad_request(f"{decoding}an operation of a JSON patch must be an object")
    return document


async def patch(serving: Serving, call: Call, document: Any, media: str) -> Outcome:
    """Change the object by *document*; apply creates it where it does not exist."""
    call.require_verb("patch")
    if media == APPLY_PATCH:
        return await apply(serving, call, document)
    warnings: tuple[str, ...] = ()
    source: Source = StrategicPatch(document) if media == STRATEGIC_PATCH else "patch"

    def compute(stored: Stored) -> Manifest:
        nonlocal warnings
        # Only a JSON patch can speak of what it was shown.
        exact = media == JSON_PATCH
        base = serving.shown(call.resource, stored.manifest) if exact else stored.manifest
        merged = merge(call.kind, base, document, media, name=call.name)
        if exact:
            merged = without_shown(serving, call, stored, merged)
        require_header(call.kind, base, merged, source)
        merged = _of_same_kind(call.kind, stored.manifest, merged, media)
        require_place(call, merged.get("metadata"))
        check_version(call, stored, merged.get("metadata"))
        new, warnings = prepare_changed(serving, call, stored, merged, source)
        return new

    written = await transact(serving, call, call.key, compute)
    return Outcome(written.stored, warnings=warnings)


def _of_same_kind(kind: ResourceKind, old: Manifest, new: Manifest, media: str) -> Manifest:
    """Return *new* with the kind of *old*; raises `ApiFault` for a patch that changes it."""
    if new.get("kind") == old.get("kind") and new.get("apiVersion") == old.get("apiVersion"):
        return new
    if media == STRATEGIC_PATCH:
        # It is read into the type of the old object, whatever it says of itself.
        return {**new, "apiVersion": old["apiVersion"], "kind": old["kind"]}
    try:
        return of_kind(kind, new)
    except ApiFault as fault:
        if kind.custom:
            raise
        raise patch_cannot_be_applied(new, str(fault).rpartition(f"{kind.gvk.kind}: ")[2]) from None


def scale_patch(document: Any, media: str) -> Callable[[Manifest], Manifest]:
    """Return what a patch makes of a Scale."""
    # A Scale has no lists, so a strategic merge of it is a plain one.
    plain = MERGE_PATCH if media == STRATEGIC_PATCH else media
    return lambda scale: merge(None, scale, document, plain, name="")


async def apply(serving: Serving, call: Call, document: Manifest) -> Outcome:
    """Server-side apply (KEP-555): the manager's fields become exactly those of *document*."""
    document = read_configuration(call.kind.gvk, call, document)
    for _ in range(APPLY_ATTEMPTS):
        outcome = await _apply_once(serving, call, document)
        if outcome is not None:
            return outcome
    raise ApiFault(409, f'applying {call.resource} "{call.name}": others keep writing first')


async def _apply_once(serving: Serving, call: Call, document: Manifest) -> Outcome | None:
    """Update the object, or create it; None when it came or went between."""
    unseen = serving.store.mirror.get(call.key) is None
    if unseen and not (call.subresource or call.options.dry_run):
        # Most likely it is new: creating it tells, without asking first.
        try:
            created = await _create_applied(serving, call, document)
        except ApiFault:
            # Perhaps refused as a new object, which it is not.
            if await serving.store.get(call.key) is None:
                raise
        else:
            if created is not None:
                return created
    warnings: tuple[str, ...] = ()

    def compute(stored: Stored) -> Manifest:
        nonlocal warnings
        check_version(call, stored, document.get("metadata"))
        merged = apply_configuration(call, stored.manifest, document, now=serving.now())
        if uid := document["metadata"].get("uid"):
            merged = {**merged, "metadata": {**merged["metadata"], "uid": uid}}
        new, warnings = prepare_changed(serving, call, stored, merged, "apply")
        return new

    try:
        written = await transact(serving, call, call.key, compute)
    except ApiFault as fault:
        if fault.code != 404 or await serving.store.get(call.key) is not None:
            raise
    else:
        return Outcome(written.stored, warnings=warnings)
    if call.subresource:
        raise not_found(call.resource, call.name)
    return await _create_applied(serving, call, document)


async def _create_applied(serving: Serving, call: Call, document: Manifest) -> Outcome | None:
    """Create the object; None where it exists."""
    first = await aside(call.size, _first_of, serving, call, document)
    new, warnings = await prepare_new(serving, call, first, "apply")
    if call.options.dry_run:
        return Outcome(Stored(call.key, Revision(0), new), created=True, warnings=warnings)
    try:
        stored = await serving.store.create(call.key, new)
    except AlreadyExists:
        return None
    return Outcome(stored, created=True, warnings=warnings)


def _first_of(serving: Serving, call: Call, document: Manifest) -> Manifest:
    """Return the object that is created by applying *document*; raises `ApiFault`."""
    metadata = document["metadata"]
    if metadata.get("uid"):
        why = f"uid mismatch: the provided object specified uid {metadata['uid']}"
        raise conflict(call.resource, call.name, f"{why}, and no existing object was found")
    new = {part: value for part, value in metadata.items() if part != "resourceVersion"}
    document = {**document, "metadata": new}
    return apply_configuration(call, None, document, now=serving.now())
