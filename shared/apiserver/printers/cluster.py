"""The columns of nodes, namespaces, events, quotas and configuration."""

from datetime import datetime

from shared.apimachinery.manifest import Manifest
from shared.apiserver.age import UNKNOWN, age_of
from shared.apiserver.kinds import Column
from shared.apiserver.printers.cells import (
    AGE,
    NONE,
    column,
    condition_status,
    dig,
    field,
    items,
    number,
    quantity_text,
    timed,
)

_ROLE_LABEL = "node-role.kubernetes.io/"


def _node_status(node: Manifest) -> str:
    ready = condition_status(node, "Ready")
    words = ["Unknown" if ready is None else "Ready" if ready == "True" else "NotReady"]
    if dig(node, "spec", "unschedulable"):
        words.append("SchedulingDisabled")
    return ",".join(words)


def _roles(node: Manifest) -> str:
    labels = dig(node, "metadata", "labels") or {}
    roles = {key.removeprefix(_ROLE_LABEL) for key in labels if key.startswith(_ROLE_LABEL)}
    if labels.get("kubernetes.io/role"):
        roles.add(labels["kubernetes.io/role"])
    return ",".join(sorted(role for role in roles if role)) or NONE


def _address(node: Manifest, type_: str) -> str:
    for address in items(node, "status", "addresses"):
        if address.get("type") == type_:
            return str(address.get("address"))
    return NONE


def _kernel(node: Manifest) -> str:
    architecture = dig(node, "status", "nodeInfo", "architecture")
    version = str(dig(node, "status", "nodeInfo", "kernelVersion") or UNKNOWN)
    return f"{version} ({architecture})" if architecture else version


NODE: tuple[Column, ...] = (
    column("Status", _node_status),
    column("Roles", _roles),
    AGE,
    field("Version", "status", "nodeInfo", "kubeletVersion"),
    column("Internal-IP", lambda node: _address(node, "InternalIP"), wide=True),
    column("External-IP", lambda node: _address(node, "ExternalIP"), wide=True),
    field("OS-Image", "status", "nodeInfo", "osImage", absent=UNKNOWN, wide=True),
    column("Kernel-Version", _kernel, wide=True),
    field(
        "Container-Runtime",
        "status",
        "nodeInfo",
        "containerRuntimeVersion",
        absent=UNKNOWN,
        wide=True,
    ),
)
NAMESPACE: tuple[Column, ...] = (field("Status", "status", "phase"), AGE)


def _first_seen(event: Manifest, now: datetime) -> str:
    moment = dig(event, "firstTimestamp") or dig(event, "deprecatedFirstTimestamp")
    return age_of(moment or dig(event, "eventTime"), now)


def _last_seen(event: Manifest, now: datetime) -> str:
    moment = (
        dig(event, "series", "lastObservedTime")
        or dig(event, "lastTimestamp")
        or dig(event, "deprecatedLastTimestamp")
    )
    return age_of(moment, now) if moment else _first_seen(event, now)


def _count(event: Manifest) -> int:
    series = dig(event, "series", "count")
    # An event that was never counted still happened once.
    return int(series or dig(event, "count") or dig(event, "deprecatedCount") or 1)


def _object_of(event: Manifest) -> str:
    target = dig(event, "involvedObject") or dig(event, "regarding") or {}
    kind = str(target.get("kind", "")).lower()
    return f"{kind}/{target['name']}" if target.get("name") else kind


def _subobject_of(event: Manifest) -> str:
    target = dig(event, "involvedObject") or dig(event, "regarding") or {}
    return str(target.get("fieldPath") or "")


def _source_of(event: Manifest) -> str:
    source = dig(event, "source") or dig(event, "deprecatedSource") or {}
    named = dig(event, "reportingComponent") or dig(event, "reportingController") or ""
    component = source.get("component") or named
    host = source.get("host") or dig(event, "reportingInstance")
    return f"{component}, {host}" if host else str(component)


EVENT: tuple[Column, ...] = (
    timed("Last Seen", _last_seen),
    field("Type", "type"),
    field("Reason", "reason"),
    column("Object", _object_of),
    column("Subobject", _subobject_of, wide=True),
    column("Source", _source_of, wide=True),
    column("Message", lambda one: str(one.get("message") or one.get("note") or "").strip()),
    timed("First Seen", _first_seen, wide=True),
    column("Count", _count, wide=True),
    Column(name="Name", format="name", priority=1, json_path=".metadata.name"),
)


def _usage(quota: Manifest, *, limits: bool) -> str:
    hard = dig(quota, "status", "hard") or {}
    used = dig(quota, "status", "used") or {}
    return ", ".join(
        f"{name}: {quantity_text(used.get(name))}/{quantity_text(hard[name])}"
        for name in sorted(hard)
        if name.startswith("limits.") == limits
    )


RESOURCE_QUOTA: tuple[Column, ...] = (
    column("Request", lambda quota: _usage(quota, limits=False)),
    column("Limit", lambda quota: _usage(quota, limits=True)),
    AGE,
)
CONFIG_MAP: tuple[Column, ...] = (
    column("Data", lambda one: len(items(one, "data")) + len(items(one, "binaryData"))),
    AGE,
)
SECRET: tuple[Column, ...] = (
    field("Type", "type", absent="Opaque"),
    column("Data", lambda one: len(items(one, "data"))),
    AGE,
)
LEASE: tuple[Column, ...] = (field("Holder", "spec", "holderIdentity"), AGE)
RUNTIME_CLASS: tuple[Column, ...] = (field("Handler", "handler"), AGE)
PRIORITY_CLASS: tuple[Column, ...] = (
    number("Value", "value"),
    column("Global-Default", lambda one: bool(one.get("globalDefault")), type_="boolean"),
    AGE,
    field("PreemptionPolicy", "preemptionPolicy", absent="PreemptLowerPriority"),
)
