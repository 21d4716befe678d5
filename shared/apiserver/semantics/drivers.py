"""Drivers of storage: where they are, what they hold, and which volumes they attach."""

from collections.abc import Iterator, Mapping
from typing import Any

from shared.apimachinery import texts
from shared.apimachinery.manifest import Manifest
from shared.apimachinery.parts import entries, section
from shared.apiserver.semantics.faults import (
    at_least,
    driver_name,
    duplicate,
    forbidden,
    invalid,
    one_of,
    required,
    strings,
    text,
    unsupported,
)
from shared.apiserver.semantics.selectors import label_selector
from shared.errors import FieldError

_NODE_ID_MAX = 256


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
        faults += driver_name(driver, at)
        if name in names:
            faults.append(duplicate(f"{at}.name", name))
        names.add(name)
        faults += _where(driver, at)
    return faults


def _where(driver: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    """What a driver calls the node, how it tells nodes apart, and how much it attaches there."""
    node = str(driver.get("nodeID") or "")
    if not node:
        yield required(f"{path}.nodeID")
    if len(node) > _NODE_ID_MAX:
        yield invalid(f"{path}.nodeID", node, f"must be {_NODE_ID_MAX} characters or less")
    yield from at_least(section(driver, "allocatable"), f"{path}.allocatable", ("count",))
    keys = strings(driver.get("topologyKeys"))
    for number, key in enumerate(keys):
        if not key:
            yield required(path)
        if key in keys[:number]:
            yield duplicate(path, key)
        yield from text(key, path, texts.label_key)


def judge_storage_capacity(manifest: Manifest) -> list[FieldError]:
    faults = list(label_selector(section(manifest, "nodeTopology"), "nodeTopology"))
    name = manifest.get("storageClassName") or ""
    return faults + list(text(name, "storageClassName", texts.subdomain))


def judge_attachment(manifest: Manifest) -> list[FieldError]:
    return list(_attachment(section(manifest, "spec")))


def _attachment(spec: Mapping[str, Any]) -> Iterator[FieldError]:
    yield from driver_name(spec, "spec", "attacher")
    source = section(spec, "source")
    given = [name for name in ("inlineVolumeSpec", "persistentVolumeName") if name in source]
    if len(given) != 1:
        why = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"
        yield (forbidden if given else required)("spec.source", why)
    elif given == ["persistentVolumeName"]:
        at, volume = "spec.source.persistentVolumeName", source["persistentVolumeName"]
        if not volume:
            yield required(at, "must specify non empty persistentVolumeName")
        yield from text(volume, at, texts.subdomain)
    yield from text(spec.get("nodeName") or "", "spec.nodeName", texts.subdomain)
