"""DELETE: an object is marked, and goes when nothing holds it."""

from collections.abc import Iterable
from dataclasses import dataclass

from shared.apimachinery.manifest import GroupResource, Manifest, ObjectKey
from shared.apiserver.admission import Write
from shared.apiserver.life.deletion import must_go, prepare_delete
from shared.apiserver.life.marks import NAMESPACES, PERMANENT_NAMESPACES
from shared.apiserver.requests.target import DeleteOptions
from shared.apiserver.serving import Call, Serving
from shared.apiserver.status_errors import (
    ApiFault,
    conflict,
    forbidden,
    invalid_object,
    not_found,
)
from shared.errors import InvalidObject, StaleRevision
from shared.store.port import Stored

ATTEMPTS_MAX = 10

_STORAGE = "storage.k8s.io"
RETURNED = frozenset(
    {
        *(
            GroupResource("", resource)
            for resource in (
                "namespaces",
                "persistentvolumeclaims",
                "persistentvolumes",
                "pods",
                "podtemplates",
                "resourcequotas",
                "serviceaccounts",
                "services",
            )
        ),
        *(
            GroupResource(_STORAGE, resource)
            for resource in (
                "csidrivers",
                "csinodes",
                "storageclasses",
                "volumeattachments",
                "volumeattributesclasses",
            )
        ),
        *(
            GroupResource("resource.k8s.io", resource)
            for resource in (
                "deviceclasses",
                "resourceclaims",
                "resourceclaimtemplates",
                "resourceslices",
            )
        ),
    }
)
"""Kinds whose deletion is answered with the object as it was (`ReturnDeletedObject`)."""


@dataclass(frozen=True, slots=True, eq=False)
class Deletion:
    """The object after the request: `gone`, or marked and still held by its finalizers."""

    stored: Stored
    gone: bool
    warnings: tuple[str, ...] = ()


async def delete(serving: Serving, call: Call, options: DeleteOptions) -> Deletion:
    """Delete one object; raises `ApiFault` (404, 409 for a precondition, 403)."""
    call.require_verb("delete")
    key = call.key
    if key.group_resource == NAMESPACES and key.name in PERMANENT_NAMESPACES:
        raise forbidden(key.group_resource, key.name, "this namespace may not be deleted")
    store = serving.store
    stored = store.mirror.get(key) or await store.get(key)
    for _ in range(ATTEMPTS_MAX):
        if stored is None:
            break
        try:
            _check_preconditions(call, stored, options)
            warnings = _admit(serving, call, stored.manifest)
        except ApiFault:
            # Only a refusal of the object as it now is counts.
            latest = await store.get(key)
            if latest is None or latest.revision == stored.revision:
                raise
            stored = latest
            continue
        marked = prepare_delete(
            call.kind, stored.manifest, propagation=options.propagation, now=serving.now()
        )
        if options.dry_run:
            return Deletion(Stored(key, stored.revision, marked), must_go(marked), warnings)
        try:
            return await _write(serving, stored, marked, warnings)
        except StaleRevision:
            stored = await store.get(key)
    if stored is None:
        raise not_found(call.resource, call.name)
    raise conflict(call.resource, call.name)


async def _write(
    serving: Serving, stored: Stored, marked: Manifest, warnings: tuple[str, ...]
) -> Deletion:
    store = serving.store
    if must_go(marked):
        gone = await store.delete(stored.key, marked, expected=stored.revision)
        return Deletion(gone, gone=True, warnings=warnings)
    if marked == stored.manifest:
        return Deletion(stored, gone=False, warnings=warnings)
    held = await store.update(stored.key, marked, expected=stored.revision)
    return Deletion(held, gone=False, warnings=warnings)


def _check_preconditions(call: Call, stored: Stored, options: DeleteOptions) -> None:
    uid = stored.manifest["metadata"].get("uid", "")
    # Here upstream names the kind, where it names the resource everywhere else.
    named = GroupResource(call.kind.gvk.group, call.kind.gvk.kind)
    if options.uid and options.uid != uid:
        why = (
            f"the UID in the precondition ({options.uid}) does not match the UID in record "
            f"({uid}). The object might have been deleted and then recreated"
        )
        raise conflict(named, call.name, why)
    if options.resource_version and options.resource_version != str(stored.revision):
        why = (
            f"the ResourceVersion in the precondition ({options.resource_version}) does not match "
            f"the ResourceVersion in record ({stored.revision}). The object might have been "
            "modified"
        )
        raise conflict(named, call.name, why)


def _admit(serving: Serving, call: Call, old: Manifest) -> tuple[str, ...]:
    try:
        return tuple(serving.admission.admit(Write(call.kind, old, None)))
    except InvalidObject as err:
        raise invalid_object(call.kind.gvk, call.name, err) from err


async def delete_collection(
    serving: Serving, call: Call, keys: Iterable[ObjectKey], options: DeleteOptions
) -> int:
    """Delete each of *keys*; what is gone meanwhile is fine. Returns how many were deleted."""
    call.require_verb("deletecollection")
    count = 0
    for key in keys:
        one = Call(call.kind, key.namespace, key.name, options=call.options)
        try:
            await delete(serving, one, options)
        except ApiFault as fault:
            # Gone meanwhile, or one that may not go: neither hinders the others.
            if fault.code not in (403, 404):
                raise
        else:
            count += 1
    return count
