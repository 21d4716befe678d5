"""Custom kinds: from a CustomResourceDefinition to `ResourceKind`s, its status, and its admission.

Every served version shows the same stored object (conversion strategy None). Where the author
asks for a conversion webhook, only the storage version is served: to pass an object of one version
off as another would be worse than not to know that version. Members convert as they like.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import structlog

from shared.apimachinery.manifest import GroupResource, GroupVersionKind, Manifest, name_of
from shared.apiserver.admission import Operation
from shared.apiserver.definitions import (
    check_definition,
    check_definition_update,
    with_defaults,
)
from shared.apiserver.kinds import Column, ResourceKind, ScalePaths
from shared.apiserver.registry import Registry
from shared.clock import Clock, format_time
from shared.errors import InvalidObject
from shared.store.port import Change, ChangeType, Mirror, Scope, Stored

log = structlog.get_logger("hanse.apiserver")

DEFINITIONS = GroupResource("apiextensions.k8s.io", "customresourcedefinitions")
ESTABLISHED = "Established"
NAMES_ACCEPTED = "NamesAccepted"


def kinds_of(definition: Manifest, since: int = 0) -> list[ResourceKind]:
    """Return a kind for every version that is served; *definition* must be valid.

    *since*: the revision of the definition.
    """
    spec = definition["spec"]
    webhook = (spec.get("conversion") or {}).get("strategy") == "Webhook"
    return [
        _kind(spec, version, since)
        for version in spec["versions"]
        if version.get("served") and (version.get("storage") or not webhook)
    ]


def _kind(spec: Mapping[str, Any], version: Mapping[str, Any], since: int) -> ResourceKind:
    names = spec["names"]
    subresources = version.get("subresources") or {}
    return ResourceKind(
        gvk=GroupVersionKind(spec["group"], version["name"], names["kind"]),
        resource=names["plural"],
        singular=names.get("singular") or names["kind"].lower(),
        namespaced=spec["scope"] == "Namespaced",
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        has_status=subresources.get("status") is not None,
        scale=_scale(subresources.get("scale")),
        schema=_schema(version),
        columns=tuple(_columns(version.get("additionalPrinterColumns") or ())),
        custom=True,
        since=since,
        selectable_fields=tuple(
            one["jsonPath"].removeprefix(".") for one in version.get("selectableFields") or ()
        ),
    )


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


def status_of(definition: Manifest, registry: Registry, *, now: str) -> Manifest:
    """Return the status of a valid definition: whether its names are free and it is served.

    Conditions that do not change keep their `lastTransitionTime`; *now* (RFC 3339) is for others.
    """
    spec = definition["spec"]
    old = definition.get("status") or {}
    taken = _taken_names(definition, registry)
    accepted = not taken
    if accepted:
        verdicts = [
            (NAMES_ACCEPTED, "True", "NoConflicts", "no conflicts found"),
            (ESTABLISHED, "True", "InitialNamesAccepted", "the initial names have been accepted"),
        ]
    else:
        why = "; ".join(taken)
        verdicts = [
            (NAMES_ACCEPTED, "False", "NameConflict", why),
            (ESTABLISHED, "False", "NotAccepted", "not all names are accepted"),
        ]
    storage = next(version["name"] for version in spec["versions"] if version.get("storage"))
    stored = list(old.get("storedVersions") or ())
    return {
        **old,
        "conditions": [_condition(old, verdict, now) for verdict in verdicts],
        "acceptedNames": dict(spec["names"]) if accepted else {"plural": "", "kind": ""},
        "storedVersions": stored if storage in stored else [*stored, storage],
    }


def _condition(
    status: Mapping[str, Any], verdict: tuple[str, str, str, str], now: str
) -> dict[str, str]:
    type_, value, reason, message = verdict
    found: dict[str, str] = {
        "type": type_,
        "status": value,
        "reason": reason,
        "message": message,
        "lastTransitionTime": now,
    }
    for before in status.get("conditions") or ():
        if before.get("type") == type_ and before.get("status") == value:
            found["lastTransitionTime"] = before.get("lastTransitionTime") or now
    return found


def _taken_names(definition: Manifest, registry: Registry) -> list[str]:
    """Say which of its names others in its group have."""
    spec = definition["spec"]
    names = spec["names"]
    own = GroupResource(spec["group"], names["plural"])
    fixed = own in registry.fixed_resources
    others = [
        kind
        for version in registry.versions(spec["group"])
        for kind in registry.kinds_of(spec["group"], version)
        if kind.group_resource != own
    ]
    resources = {
        name for kind in others for name in (kind.resource, kind.singular, *kind.short_names)
    }
    kinds = {kind.gvk.kind for kind in others} | {f"{kind.gvk.kind}List" for kind in others}
    wanted = [names["plural"], names.get("singular"), *(names.get("shortNames") or ())]
    faults = [f"{name!r} is already in use" for name in wanted if name in resources]
    faults += [
        f"{name!r} is already in use"
        for name in (names["kind"], names.get("listKind"))
        if name in kinds
    ]
    return [f"{str(own)!r} is served by this server itself"] if fixed else faults


def is_served(definition: Manifest) -> bool:
    """Whether its names were accepted."""
    conditions = (definition.get("status") or {}).get("conditions") or ()
    return not any(
        one.get("type") == NAMES_ACCEPTED and one.get("status") == "False" for one in conditions
    )


class DefinitionAdmission:
    """Admission of CustomResourceDefinitions: defaults, rules, and the status at once.

    The status is a pure consequence of the spec, so it is written with it: a definition is
    established by the answer to the request that made it.
    """

    def __init__(self, registry: Registry, clock: Clock) -> None:
        self._registry = registry
        self._clock = clock

    def admit(
        self,
        operation: Operation,
        kind: ResourceKind,  # noqa: ARG002 - part of the port.
        old: Manifest | None,
        new: Manifest | None,
    ) -> Sequence[str]:
        """Replace spec and status of *new*; raises `InvalidObject` with the fields at fault."""
        if new is None or operation is Operation.DELETE:
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
        new["status"] = status_of({**new, "status": before}, self._registry, now=now)
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
    return old.get("spec") != new.get("spec") or is_served(old) != is_served(new)


def _serve(registry: Registry, stored: Stored) -> None:
    """Serve what a definition declares, if it may be; a broken one harms itself only."""
    definition, name = stored.manifest, stored.key.name
    # Its schemas were judged when they were written.
    faults = check_definition(definition, definition)
    if faults:
        log.warning("definition not served", definition=name, reason=str(faults[0]))
    if faults or not is_served(definition):
        registry.drop_custom(name)
    else:
        registry.put_custom(name, kinds_of(definition, stored.revision))
