"""Kinds of few fields: classes of priority and runtime, leases, namespaces, nodes, events."""

from collections.abc import Iterator, Mapping
from typing import Any

from shared.apimachinery import texts
from shared.apimachinery.manifest import Manifest, name_of
from shared.apimachinery.parts import entries, section
from shared.apiserver.semantics.affinity import tolerations
from shared.apiserver.semantics.faults import (
    duplicate,
    forbidden,
    invalid,
    labels,
    named,
    one_of,
    required,
    strings,
    text,
    unsupported,
)
from shared.apiserver.semantics.resources import resources
from shared.errors import FieldError

_USER_PRIORITY_MAX = 1_000_000_000
_SYSTEM = {"system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000}
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


def judge_priority_class(manifest: Manifest) -> list[FieldError]:
    name, value = name_of(manifest), manifest.get("value") or 0
    faults = []
    if name.startswith("system-"):
        if _SYSTEM.get(name) != value or manifest.get("globalDefault") is True:
            why = "priority class names with 'system-' prefix are reserved for system use only"
            faults.append(forbidden("metadata.name", why))
    elif value > _USER_PRIORITY_MAX:
        why = f"maximum allowed value of a user defined priority is {_USER_PRIORITY_MAX}"
        faults.append(forbidden("value", why))
    policy = manifest.get("preemptionPolicy")
    allowed = ("PreemptLowerPriority", "Never")
    if policy and policy not in allowed:
        faults.append(unsupported("preemptionPolicy", policy, allowed))
    return faults


def judge_runtime_class(manifest: Manifest) -> list[FieldError]:
    return list(_runtime_class(manifest))


def _runtime_class(manifest: Manifest) -> Iterator[FieldError]:
    handler = manifest.get("handler")
    if not handler:
        yield required("handler")
    else:
        yield from text(handler, "handler", texts.label)
    fixed = section(manifest, "overhead", "podFixed")
    yield from resources({"limits": fixed}, "overhead")
    scheduling = section(manifest, "scheduling")
    yield from labels(section(scheduling, "nodeSelector"), "scheduling.nodeSelector")
    found = entries(scheduling, "tolerations")
    yield from tolerations(found, "scheduling.tolerations")
    for number, one in enumerate(found):
        if one in found[:number]:
            yield duplicate(f"scheduling.tolerations[{number}]", one)


def judge_lease(manifest: Manifest) -> list[FieldError]:
    spec = section(manifest, "spec")
    faults = []
    seconds, transitions = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
    if isinstance(seconds, int) and seconds <= 0:
        faults.append(invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0"))
    if isinstance(transitions, int) and transitions < 0:
        why = "must be greater than or equal to 0"
        faults.append(invalid("spec.leaseTransitions", transitions, why))
    if spec.get("preferredHolder") and not spec.get("strategy"):
        why = "may only be specified if `strategy` is defined"
        faults.append(forbidden("spec.preferredHolder", why))
    return faults


def judge_namespace(manifest: Manifest) -> list[FieldError]:
    return list(_finalizers(strings(section(manifest, "spec").get("finalizers"))))


def _finalizers(found: Any) -> Iterator[FieldError]:
    for one in found:
        yield from text(one, "spec.finalizers", texts.label_key)
        if "/" not in one and one not in ("kubernetes", "orphan", "foregroundDeletion"):
            why = "name is neither a standard finalizer name nor is it fully qualified"
            yield invalid("spec.finalizers", one, why)


def judge_node(manifest: Manifest) -> list[FieldError]:
    spec = section(manifest, "spec")
    faults: list[FieldError] = []
    pairs: set[tuple[str, str]] = set()
    for number, taint in enumerate(entries(spec, "taints")):
        at = f"metadata.taints[{number}]"
        faults += text(taint.get("key") or "", f"{at}.key", texts.label_key)
        faults += text(taint.get("value") or "", f"{at}.value", texts.label_value)
        effect = taint.get("effect") or ""
        if not effect:
            faults.append(required(f"{at}.effect"))
        elif effect not in _EFFECTS:
            faults.append(unsupported(f"{at}.effect", effect, _EFFECTS))
        pair = str(taint.get("key")), effect
        if pair in pairs:
            faults.append(duplicate(at, taint))
        pairs.add(pair)
    return faults


def judge_event(manifest: Manifest) -> list[FieldError]:
    """Of either group: what one calls `regarding` is the other's `involvedObject`."""
    return list(_event(manifest))


_LENGTH_MAX = {"reportingInstance": 128, "action": 128, "reason": 128}


def _event(manifest: Manifest) -> Iterator[FieldError]:
    modern = manifest.get("apiVersion") != "v1"
    about = section(manifest, "regarding" if modern else "involvedObject").get("namespace") or ""
    namespace = section(manifest, "metadata").get("namespace") or ""
    when = manifest.get("eventTime")
    cluster_scoped = not about and namespace in ("default", *(("kube-system",) if when else ()))
    matches = bool(about) if when else about == namespace
    if not matches and not cluster_scoped:
        yield invalid("involvedObject.namespace", about, "does not match event.namespace")
    if when:
        yield from _reported(manifest, modern=modern)
    if not modern:
        return
    if not when:
        yield required("eventTime")
    kind = manifest.get("type") or ""
    if kind not in ("Normal", "Warning"):
        yield invalid("type", "", f"has invalid value: {kind}")
    series = section(manifest, "series")
    if series:
        if (series.get("count") or 0) < 2:
            yield invalid("series.count", "", "should be at least 2")
        if not series.get("lastObservedTime"):
            yield required("series.lastObservedTime")


def _reported(manifest: Manifest, *, modern: bool) -> Iterator[FieldError]:
    name = "reportingController" if modern else "reportingComponent"
    reporter = manifest.get(name) or ""
    if not reporter:
        yield required(name)
    yield from text(reporter, name, texts.label_key)
    for part, most in _LENGTH_MAX.items():
        found = str(manifest.get(part) or "")
        if not found:
            yield required(part)
        if len(found) > most:
            yield invalid(part, "", f"can have at most {most} characters")
    note = str(manifest.get("note" if modern else "message") or "")
    if len(note) > 1024:
        yield invalid("message", "", "can have at most 1024 characters")


def judge_csi_driver(manifest: Manifest) -> list[FieldError]:
    spec = section(manifest, "spec")
    policies = ("File", "None", "ReadWriteOnceWithFSType")
    faults = [*one_of(spec, "fsGroupPolicy", "spec", policies)]
    for mode in strings(spec.get("volumeLifecycleModes")):
        if mode not in ("Ephemeral", "Persistent"):
            modes = ("Ephemeral", "Persistent")
            faults.append(unsupported("spec.volumeLifecycleModes", mode, modes))
    return faults


def judge_csi_node(manifest: Manifest) -> list[FieldError]:
    faults: list[FieldError] = []
    names: set[str] = set()
    for number, driver in enumerate(entries(section(manifest, "spec"), "drivers")):
        at, name = f"spec.drivers[{number}]", str(driver.get("name") or "")
        faults += named(driver, at, texts.subdomain)
        if name in names:
            faults.append(duplicate(f"{at}.name", name))
        names.add(name)
        if not driver.get("nodeID"):
            faults.append(required(f"{at}.nodeID"))
    return faults


def judge_storage_capacity(manifest: Manifest) -> list[FieldError]:
    at = "storageClassName"
    if not manifest.get(at):
        return [required(at)]
    return list(text(manifest[at], at, texts.subdomain))


def judge_attachment(manifest: Manifest) -> list[FieldError]:
    return list(_attachment(section(manifest, "spec")))


def _attachment(spec: Mapping[str, Any]) -> Iterator[FieldError]:
    yield from named(spec, "spec", texts.subdomain, "attacher")
    source = section(spec, "source")
    given = [name for name in ("inlineVolumeSpec", "persistentVolumeName") if name in source]
    if len(given) != 1:
        why = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"
        yield (forbidden if given else required)("spec.source", why)
    yield from text(spec.get("nodeName") or "", "spec.nodeName", texts.subdomain)
