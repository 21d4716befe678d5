"""PATCH: an object changes by JSON patch, merge patch, strategic merge patch or apply."""

from collections.abc import Callable
from typing import Any

from shared.apimachinery.manifest import Manifest
from shared.apiserver.bodies import decode_body
from shared.apiserver.kinds import ResourceKind
from shared.apiserver.merging import apply_configuration, merge
from shared.apiserver.negotiation import (
    APPLY_PATCH,
    JSON_PATCH,
    MERGE_PATCH,
    PATCH_TYPES,
    STRATEGIC_PATCH,
    unsupported_media_type,
)
from shared.apiserver.serving import Call, Outcome, Serving
from shared.apiserver.status_errors import ApiFault, bad_request, not_found
from shared.apiserver.verbs.create import check_kind, prepare_new
from shared.apiserver.verbs.transact import transact
from shared.apiserver.verbs.update import check_version, prepare_changed, without_shown
from shared.errors import AlreadyExists
from shared.store.port import Revision, Stored

APPLY_ATTEMPTS = 5
_CUSTOM_TYPES = tuple(media for media in PATCH_TYPES if media != STRATEGIC_PATCH)
_SCALE_TYPES = (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH)


def check_media(kind: ResourceKind, media: str) -> str:
    """Return *media* if it is a patch of this kind; raises `ApiFault` 415."""
    supported = _CUSTOM_TYPES if kind.custom or kind.schema is None else PATCH_TYPES
    if media not in supported:
        raise unsupported_media_type(media, supported)
    return media


def read_document(body: bytes, media: str) -> Any:
    """A list of operations for a JSON patch, an object for the others; raises `ApiFault` 400."""
    document = decode_body(body, media)
    if media == JSON_PATCH:
        if not isinstance(document, list):
            raise bad_request("a JSON patch must be a list of operations")
    elif not isinstance(document, dict):
        raise bad_request("a patch must be an object")
    return document


async def patch(serving: Serving, call: Call, document: Any, media: str) -> Outcome:
    """Change the object by *document*; apply creates it where it does not exist."""
    call.require_verb("patch")
    if media == APPLY_PATCH:
        return await apply(serving, call, document)
    if call.options.force:
        raise bad_request(
            "PatchOptions: force: Forbidden: may not be specified for non-apply patch"
        )
    warnings: tuple[str, ...] = ()

    def compute(stored: Stored) -> Manifest:
        nonlocal warnings
        # Only a JSON patch can speak of what it was shown.
        exact = media == JSON_PATCH
        base = serving.shown(call.resource, stored.manifest) if exact else stored.manifest
        merged = merge(call.kind, base, document, media, name=call.name)
        if exact:
            merged = without_shown(serving, call, stored, merged)
        check_version(call, stored, merged.get("metadata"))
        _check_same_kind(stored.manifest, merged)
        new, warnings = prepare_changed(serving, call, stored, merged)
        return new

    written = await transact(serving, call, call.key, compute)
    return Outcome(written.stored, warnings=warnings)


def _check_same_kind(old: Manifest, new: Manifest) -> None:
    if new.get("kind") != old.get("kind") or new.get("apiVersion") != old.get("apiVersion"):
        raise bad_request("a patch may not change apiVersion or kind")


def scale_patch(body: bytes, media: str) -> Callable[[Manifest], Manifest]:
    """Return what a patch makes of a Scale; raises `ApiFault` 400, 415."""
    if media not in _SCALE_TYPES:
        raise unsupported_media_type(media, _SCALE_TYPES)
    document = read_document(body, media)
    # A Scale has no lists, so a strategic merge of it is a plain one.
    plain = MERGE_PATCH if media == STRATEGIC_PATCH else media
    return lambda scale: merge(None, scale, document, plain, name="")


async def apply(serving: Serving, call: Call, document: Manifest) -> Outcome:
    """Server-side apply (KEP-555): the manager's fields become exactly those of *document*."""
    if not call.options.field_manager:
        raise bad_request("PatchOptions: fieldManager: Required value: is required for apply patch")
    check_kind(call.kind, document)
    document = _named(call, document)
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
        new, warnings = prepare_changed(serving, call, stored, merged, applied=True)
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
    applied = apply_configuration(call, None, document, now=serving.now())
    new, warnings = await prepare_new(serving, call, applied, applied=True)
    if call.options.dry_run:
        return Outcome(Stored(call.key, Revision(0), new), created=True, warnings=warnings)
    try:
        stored = await serving.store.create(call.key, new)
    except AlreadyExists:
        return None
    return Outcome(stored, created=True, warnings=warnings)


def _named(call: Call, document: Manifest) -> Manifest:
    """Return the applied object with the URL's name; raises `ApiFault` 400 for another one."""
    metadata = document.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise bad_request("metadata must be an object")
    if metadata.get("managedFields"):
        raise bad_request("metadata.managedFields must be nil")
    if metadata.get("name") not in (None, "", call.name):
        raise bad_request(
            f"the name of the object ({metadata['name']}) does not match the name on the URL "
            f"({call.name})"
        )
    if metadata.get("namespace") not in (None, "", call.namespace) and call.kind.namespaced:
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    return {**document, "metadata": {**metadata, "name": call.name}}
