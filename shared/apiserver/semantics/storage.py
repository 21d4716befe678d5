"""Volumes and classes of storage."""

from collections.abc import Iterator, Mapping
from typing import Any

from shared.apimachinery import texts
from shared.apimachinery.manifest import Manifest
from shared.apimachinery.parts import entries, section
from shared.apiserver.semantics.affinity import node_selector
from shared.apiserver.semantics.claims import VOLUME_MODES, access_modes
from shared.apiserver.semantics.faults import (
    amount_of,
    driver_name,
    duplicate,
    forbidden,
    invalid,
    named,
    one_of,
    required,
    strings,
    text,
    unsupported,
)
from shared.apiserver.semantics.volumes import host_path, nfs
from shared.errors import FieldError

_NO_SOURCES = frozenset(
    (
        "accessModes",
        "capacity",
        "claimRef",
        "mountOptions",
        "nodeAffinity",
        "persistentVolumeReclaimPolicy",
        "storageClassName",
        "volumeAttributesClassName",
        "volumeMode",
    )
)


def judge_volume(manifest: Manifest) -> list[FieldError]:
    return list(_volume(section(manifest, "spec")))


def _volume(spec: Mapping[str, Any]) -> Iterator[FieldError]:
    if not spec.get("accessModes"):
        yield required("spec.accessModes")
    yield from access_modes(spec, "spec")
    capacity = section(spec, "capacity")
    if not capacity:
        yield required("spec.capacity")
    if set(capacity) != {"storage"}:
        yield unsupported("spec.capacity", capacity or None, ("storage",))
    for name, size in capacity.items():
        if amount_of(size) < 0:
            why = "must be a valid resource quantity"
            yield invalid(f"spec.capacity[{name}]", int(amount_of(size)), why)
        if amount_of(size) <= 0:
            yield invalid(f"spec.capacity[{name}]", str(size), "must be greater than zero")
    policies = ("Delete", "Recycle", "Retain")
    yield from one_of(spec, "persistentVolumeReclaimPolicy", "spec", policies)
    affinity = section(spec, "nodeAffinity")
    if "nodeAffinity" in spec:
        if affinity.get("required") is None:
            yield required("spec.nodeAffinity.required", "must specify required node constraints")
        else:
            yield from node_selector(section(affinity, "required"), "spec.nodeAffinity.required")
    yield from _volume_source(spec)
    for name in ("storageClassName", "volumeAttributesClassName"):
        if spec.get(name):
            yield from text(spec[name], f"spec.{name}", texts.subdomain)
    yield from one_of(spec, "volumeMode", "spec", VOLUME_MODES)


def volume_sources(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Where the storage of a volume is: of its fields one, if it is sound."""
    return {
        name: value for name, value in spec.items() if name not in _NO_SOURCES and value is not None
    }


def _volume_source(spec: Mapping[str, Any]) -> Iterator[FieldError]:
    given = sorted(volume_sources(spec))
    if not given:
        yield required("spec", "must specify a volume type")
        return
    kind, *others = given
    source, at = section(spec, kind), f"spec.{kind}"
    match kind:
        case "hostPath":
            yield from host_path(source, at)
        case "nfs":
            yield from nfs(source, at)
        case "local":
            yield from named(source, at, texts.without_backsteps, "path")
            if "nodeAffinity" not in spec:
                yield required("spec.nodeAffinity", "Local volume requires node affinity")
        case "csi":
            yield from driver_name(source, at, "driver")
            if not source.get("volumeHandle"):
                yield required(f"{at}.volumeHandle")
    for name in others:
        yield forbidden(f"spec.{name}", "may not specify more than 1 volume type")


def judge_storage_class(manifest: Manifest) -> Iterator[FieldError]:
    provisioner = manifest.get("provisioner")
    if not provisioner:
        yield required("provisioner")
    else:
        yield from text(str(provisioner).lower(), "provisioner", texts.label_key)
    for name, allowed in (
        ("reclaimPolicy", ("Delete", "Retain")),
        ("volumeBindingMode", ("Immediate", "WaitForFirstConsumer")),
    ):
        found = manifest.get(name)
        if found and found not in allowed:
            yield unsupported(name, found, allowed)
    # As upstream has it, the first term must not be empty either.
    terms: list[dict[str, set[str]]] = [{}]
    for number, term in enumerate(entries(manifest, "allowedTopologies")):
        keys: dict[str, set[str]] = {}
        at = f"allowedTopologies[{number}].matchLabelExpressions"
        for index, one in enumerate(entries(term, "matchLabelExpressions")):
            yield from _topology(one, f"{at}[{index}]", keys)
        if keys in terms:
            yield duplicate(at, "")
        terms.append(keys)


def _topology(one: Mapping[str, Any], path: str, keys: dict[str, set[str]]) -> Iterator[FieldError]:
    values, key = strings(one.get("values")), str(one.get("key") or "")
    if not values:
        yield required(f"{path}.values")
    for number, value in enumerate(values):
        if value in values[:number]:
            yield duplicate(f"{path}.values[{number}]", value)
    yield from text(key, f"{path}.key", texts.label_key)
    if key in keys:
        yield duplicate(f"{path}.key", key)
    keys[key] = set(values)
