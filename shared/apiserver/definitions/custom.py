"""Custom kinds: from a CustomResourceDefinition to `ResourceKind`s, its status, and its admission.

Every served version shows the same stored object (conversion strategy None). Where the author
asks for a conversion webhook, only the storage version is served: to pass an object of one version
off as another would be worse than not to know that version. Members convert as they like.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import structlog

from shared.apimachinery.manifest import GroupResource, GroupVersionKind, Manifest, name_of
from shared.apiserver.admission import Write
from shared.apiserver.definitions import (
    check_definition,
    check_definition_update,
    with_defaults,
)
from shared.apiserver.definitions.status import ESTABLISHED, Taken, is_true, status_of
from shared.apiserver.kinds import Column, ResourceKind, ScalePaths
from shared.apiserver.registry import Registry, version_priority
from shared.clock import Clock, format_time
from shared.errors import InvalidObject
from shared.store.port import Change, ChangeType, Mirror, Scope, Stored

log = structlog.get_logger("hanse.apiserver")

DEFINITIONS = GroupResource("apiextensions.k8s.io", "customresourcedefinitions")


def kinds_of(definition: Manifest, since: int = 0) -> list[ResourceKind]:
    """Return a kind for every version that is served; *definition* must be valid.

    *since*: the revision of the definition.
    """
    spec = definition["spec"]
    webhook = (spec.get("conversion") or {}).get("strategy") == "Webhook"
    accepted = (definition.get("status") or {}).get("acceptedNames") or {}
    names = {**spec["names"], **{name: value for name, value in accepted.items() if value}}
    if accepted:
        # One that others have is asked for in vain.
        names["shortNames"] = accepted.get("shortNames")
    going = bool(definition["metadata"].get("deletionTimestamp"))
    kinds = []
    for version in spec["versions"]:
        if version.get("served") and (version.get("storage") or not webhook):
            kind = _kind(spec, names, version)
            kinds.append(replace(kind, since=since, terminating=going))
    return kinds


def _kind(
    spec: Mapping[str, Any], names: Mapping[str, Any], version: Mapping[str, Any]
) -> ResourceKind:
    subresources = version.get("subresources") or {}
    stored = next((one for one in spec["versions"] if one.get("storage")), version)
    return ResourceKind(
        gvk=GroupVersionKind(spec["group"], version["name"], names["kind"]),
        resource=names["plural"],
        singular=names.get("singular") or names["kind"].lower(),
        list_kind=names.get("listKind") or f"{names['kind']}List",
        namespaced=spec["scope"] == "Namespaced",
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        has_status=subresources.get("status") is not None,
        scale=_scale(subresources.get("scale")),
        schema=_schema(version),
        stored_schema=None if stored is version else _schema(stored),
        stored_version=stored["name"],
        columns=tuple(_columns(version.get("additionalPrinterColumns") or ())),
        verbs=_VERBS,
        custom=True,
        deprecation=_deprecation(spec, names["kind"], version),
        selectable_fields=tuple(
            one["jsonPath"].removeprefix(".") for one in version.get("selectableFields") or ()
        ),
    )


def _deprecation(spec: Mapping[str, Any], kind: str, version: Mapping[str, Any]) -> str:
    """Return what users of a deprecated version are told; empty for one that is not."""
    if not version.get("deprecated"):
        return ""
    if version.get("deprecationWarning") is not None:
        return str(version["deprecationWarning"])
    own = version["name"]
    said = f"{spec['group']}/{own} {kind} is deprecated"
    better = [
        one["name"]
        for one in spec["versions"]
        if one.get("served")
        and not one.get("deprecated")
        and version_priority(one["name"]) < version_priority(own)
    ]
    best = min(better, key=version_priority, default="")
    return f"{said}; use {spec['group']}/{best} {kind}" if best else said


# In the order in which kube-apiserver lists them.
_VERBS = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")
_TEXT = {"type": "string"}
_METADATA = {"$ref": "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}


def _schema(version: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the author's schema with what every object has; the parts are shared, not copied."""
    schema = version["schema"]["openAPIV3Schema"]
    properties = schema.get("properties") or {}
    common = {"apiVersion": _TEXT, "kind": _TEXT, "metadata": _METADATA}
    return {**schema, "properties": {**properties, **common}}


def _scale(scale: Mapping[str, Any] | None) -> ScalePaths | None:
    if scale is None:
        return None
    return ScalePaths(
        spec_replicas=scale["specReplicasPath"],
        status_replicas=scale["statusReplicasPath"],
        label_selector=scale.get("labelSelectorPath") or "",
    )


def _columns(columns: Iterable[Mapping[str, Any]]) -> Iterable[Column]:
    for column in columns:
        yield Column(
            name=column["name"],
            type=column["type"],
            format=column.get("format") or "",
            description=column.get("description") or "",
            priority=column.get("priority") or 0,
            json_path=column["jsonPath"],
        )


def taken_names(definition: Manifest, registry: Registry) -> Taken:
    """Return the names that others in the group of *definition* have."""
    spec = definition["spec"]
    own = GroupResource(spec["group"], spec["names"]["plural"])
    others = [
        kind
        for version in registry.versions(spec["group"])
        for kind in registry.kinds_of(spec["group"], version)
        if kind.group_resource != own
    ]
    return Taken(
        resources={
            name for kind in others for name in (kind.resource, kind.singular, *kind.short_names)
        },
        kinds={name for kind in others for name in (kind.gvk.kind, kind.list_kind)},
        builtin=own in registry.fixed_resources,
    )


class DefinitionAdmission:
    """Admission of CustomResourceDefinitions: defaults, rules, and the status at once.

    The status is a pure consequence of the spec, so it is written with it: a definition is
    established by the answer to the request that made it.
    """

    def __init__(self, registry: Registry, clock: Clock) -> None:
        self._registry = registry
        self._clock = clock

    def admit(self, write: Write) -> Sequence[str]:
        """Replace spec and status of the new; raises `InvalidObject` with the fields at fault."""
        old, new = write.old, write.new
        if new is None:
            return ()
        if isinstance(new.get("spec"), dict):
            new["spec"] = with_defaults(new["spec"])
        faults = check_definition(new, old)
        if old is not None:
            faults += check_definition_update(old, new)
        if faults:
            what = f"the definition {name_of(new)} breaks {len(faults)} rules"
            raise InvalidObject(what, faults)
        now = format_time(self._clock.now())
        before = (old or {}).get("status") or {}
        whole = {**new, "status": before}
        new["status"] = status_of(whole, taken_names(new, self._registry), now=now)
        return _warnings(new["spec"])


def _warnings(spec: Mapping[str, Any]) -> list[str]:
    if (spec.get("conversion") or {}).get("strategy") == "Webhook":
        return ["spec.conversion: no webhook is called here; only the storage version is served"]
    return []


def follow_definitions(registry: Registry, mirror: Mirror) -> Callable[[], None]:
    """Keep *registry* in step with the definitions in *mirror*; returns the way to stop."""
    scope = Scope.of(DEFINITIONS)

    def on_change(change: Change) -> None:
        if not scope.covers(change.stored.key):
            return
        if change.type is ChangeType.DELETED:
            registry.drop_custom(change.stored.key.name)
        elif change.previous is None or _differs(change.previous.manifest, change.stored.manifest):
            _serve(registry, change.stored)

    # Listening first: what happens in between is seen twice rather than never.
    stop = mirror.on_change(on_change)
    for stored in tuple(mirror.items(scope)):
        _serve(registry, stored)
    return stop


def _differs(old: Manifest, new: Manifest) -> bool:
    return old.get("spec") != new.get("spec") or _serving_state(old) != _serving_state(new)


def _serving_state(definition: Manifest) -> tuple[bool, Any, bool]:
    """What of the status tells how the kind is served."""
    going = bool(definition["metadata"].get("deletionTimestamp"))
    names = (definition.get("status") or {}).get("acceptedNames")
    return is_true(definition, ESTABLISHED), names, going


def _serve(registry: Registry, stored: Stored) -> None:
    """Serve what a definition declares, if it may be; a broken one harms itself only."""
    definition, name = stored.manifest, stored.key.name
    # Its schemas were judged when they were written.
    faults = check_definition(definition, definition)
    if faults:
        log.warning("definition not served", definition=name, reason=str(faults[0]))
    if faults or not is_true(definition, ESTABLISHED):
        registry.drop_custom(name)
    else:
        registry.put_custom(name, kinds_of(definition, stored.revision))
