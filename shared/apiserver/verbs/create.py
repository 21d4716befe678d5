"""POST: an object begins its life."""

from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.apiserver.admission import Write
from shared.apiserver.aside import aside
from shared.apiserver.life.beginning import prepare_create
from shared.apiserver.serving import Call, Outcome, Serving
from shared.apiserver.status_errors import (
    already_exists,
    forbidden,
    invalid_object,
    not_found,
    warned,
)
from shared.apiserver.writing.addressed import of_kind
from shared.apiserver.writing.ownership import track
from shared.apiserver.writing.quality_of_service import PODS, with_quality_of_service
from shared.apiserver.writing.validation import Reading, Source, conform, read
from shared.apiserver.writing.write_rules import prepare_content
from shared.errors import AlreadyExists, InvalidObject
from shared.store.port import Revision, Stored

GENERATE_ATTEMPTS = 5
_NAMESPACE_GONE = "NamespaceTerminating"


async def create(serving: Serving, call: Call, manifest: Manifest) -> Outcome:
    """Create *manifest*; raises `ApiFault`."""
    call.require_verb("create")
    manifest = of_kind(call.kind, manifest)
    for attempt in range(GENERATE_ATTEMPTS):
        new, warnings = await prepare_new(serving, call, manifest)
        key = call.key_of(new["metadata"]["name"])
        try:
            return await _store(serving, call, key, new, warnings)
        except AlreadyExists as err:
            generated = not (manifest.get("metadata") or {}).get("name")
            if not generated or attempt == GENERATE_ATTEMPTS - 1:
                going = await _is_going(serving, key)
                with warned(warnings):
                    raise already_exists(call.resource, key.name, going=going) from err
    raise AssertionError("the loop returns or raises")


async def _is_going(serving: Serving, key: ObjectKey) -> bool:
    found = await serving.store.get(key)
    return found is not None and bool(found.manifest["metadata"].get("deletionTimestamp"))


async def _store(
    serving: Serving, call: Call, key: ObjectKey, new: Manifest, warnings: tuple[str, ...]
) -> Outcome:
    if call.options.dry_run:
        if await serving.store.get(key) is not None:
            raise AlreadyExists(str(key))
        return Outcome(Stored(key, Revision(0), new), created=True, warnings=warnings)
    return Outcome(await serving.store.create(key, new), created=True, warnings=warnings)


async def prepare_new(
    serving: Serving, call: Call, manifest: Manifest, source: Source = "body"
) -> tuple[Manifest, tuple[str, ...]]:
    """Return the object as it would be stored, and warnings; raises `ApiFault`.

    Server-side apply keeps its own managed fields.
    """
    managed = (manifest.get("metadata") or {}).get("managedFields") if source == "apply" else None
    new = prepare_create(
        call.kind,
        manifest,
        call.namespace,
        now=serving.now(),
        uid=serving.new_uid(),
        suffix=serving.new_suffix(),
    )
    # 1. Can it be read, and is there a place for it?
    reading = await aside(call.size, _read, call, new, source)
    if call.kind.terminating:
        why = "create not allowed while custom resource definition is terminating"
        raise forbidden(call.resource, str(new["metadata"].get("name") or ""), why)
    if call.kind.namespaced:
        await require_namespace(serving, call, str(new["metadata"].get("name") or ""))
    # 2. Is it well formed, may it be here, and whose fields are they?
    new, warnings = await aside(call.size, _admitted, serving, call, reading, source)
    if managed:
        new["metadata"]["managedFields"] = managed
    return new, warnings


def _read(call: Call, new: Manifest, source: Source) -> Reading:
    new = prepare_content(call.kind, new)
    return read(call.kind, None, new, call.options.field_validation, source)


def _admitted(
    serving: Serving, call: Call, reading: Reading, source: Source
) -> tuple[Manifest, tuple[str, ...]]:
    kind = call.kind
    new = conform(kind, reading)
    if kind.group_resource == PODS:
        new = with_quality_of_service(new)
    warnings = reading.warnings
    try:
        warnings += tuple(serving.admission.admit(Write(kind, None, new)))
    except InvalidObject as err:
        raise invalid_object(kind.gvk, new["metadata"]["name"], err) from err
    if source == "apply":
        return new, warnings
    return track(kind, None, new, call, now=serving.now()), warnings


async def require_namespace(serving: Serving, call: Call, name: str) -> None:
    """Raise `ApiFault` 404 for an absent namespace, 403 for one that is being deleted."""
    key = ObjectKey("", "namespaces", "", call.namespace)
    namespace = serving.store.mirror.get(key) or await serving.store.get(key)
    if namespace is None:
        raise not_found(key.group_resource, call.namespace)
    if namespace.manifest["metadata"].get("deletionTimestamp"):
        message = (
            f"unable to create new content in namespace {call.namespace} because it is being "
            "terminated"
        )
        raise forbidden(
            call.resource,
            name,
            message,
            [
                {
                    "reason": _NAMESPACE_GONE,
                    "message": f"namespace {call.namespace} is being terminated",
                    "field": "metadata.namespace",
                }
            ],
        )
