"""The columns of volumes, their claims and classes, and of claimed devices."""

from collections.abc import Iterable

from shared.apimachinery.manifest import Manifest
from shared.apiserver.kinds import Column
from shared.apiserver.printers.cells import (
    AGE,
    UNSET,
    column,
    dig,
    field,
    items,
    name_or_default,
    quantity,
    quantity_text,
)

_ACCESS = {
    "ReadWriteOnce": "RWO",
    "ReadOnlyMany": "ROX",
    "ReadWriteMany": "RWX",
    "ReadWriteOncePod": "RWOP",
}


def _access_modes(modes: Iterable[str]) -> str:
    asked = set(modes)
    return ",".join(short for mode, short in _ACCESS.items() if mode in asked)


def _phase(volume: Manifest) -> str:
    if dig(volume, "metadata", "deletionTimestamp"):
        return "Terminating"
    return str(dig(volume, "status", "phase") or "Pending")


def _claim(volume: Manifest) -> str:
    claim = dig(volume, "spec", "claimRef")
    return f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else ""


def _volume_class(manifest: Manifest) -> str:
    old = dig(manifest, "metadata", "annotations", "volume.beta.kubernetes.io/storage-class")
    return str(old or dig(manifest, "spec", "storageClassName") or "")


def _bound_capacity(claim: Manifest) -> str:
    if not dig(claim, "spec", "volumeName"):
        return ""
    return quantity_text(dig(claim, "status", "capacity", "storage"))


def _bound_access(claim: Manifest) -> str:
    if not dig(claim, "spec", "volumeName"):
        return ""
    return _access_modes(items(claim, "status", "accessModes"))


_MODE = field("VolumeMode", "spec", "volumeMode", absent=UNSET, wide=True)
_CLASS = column("StorageClass", _volume_class)
_ATTRIBUTES = field("VolumeAttributesClass", "spec", "volumeAttributesClassName", absent=UNSET)

VOLUME: tuple[Column, ...] = (
    quantity("Capacity", "spec", "capacity", "storage"),
    column("Access Modes", lambda one: _access_modes(items(one, "spec", "accessModes"))),
    field("Reclaim Policy", "spec", "persistentVolumeReclaimPolicy"),
    column("Status", _phase),
    column("Claim", _claim),
    _CLASS,
    _ATTRIBUTES,
    field("Reason", "status", "reason"),
    AGE,
    _MODE,
)
VOLUME_CLAIM: tuple[Column, ...] = (
    column("Status", _phase),
    field("Volume", "spec", "volumeName"),
    column("Capacity", _bound_capacity),
    column("Access Modes", _bound_access),
    _CLASS,
    _ATTRIBUTES,
    AGE,
    _MODE,
)

STORAGE_CLASS: tuple[Column, ...] = (
    name_or_default(
        "storageclass.kubernetes.io/is-default-class",
        "storageclass.beta.kubernetes.io/is-default-class",
    ),
    field("Provisioner", "provisioner"),
    field("ReclaimPolicy", "reclaimPolicy", absent="Delete"),
    field("VolumeBindingMode", "volumeBindingMode", absent="Immediate"),
    column("AllowVolumeExpansion", lambda one: bool(one.get("allowVolumeExpansion"))),
    AGE,
)
VOLUME_ATTRIBUTES_CLASS: tuple[Column, ...] = (field("DriverName", "driverName"), AGE)
VOLUME_ATTACHMENT: tuple[Column, ...] = (
    Column(name="Attacher", format="name", json_path=".spec.attacher"),
    field("PV", "spec", "source", "persistentVolumeName"),
    field("Node", "spec", "nodeName"),
    column("Attached", lambda one: bool(dig(one, "status", "attached")), type_="boolean"),
    AGE,
)


def _modes(driver: Manifest) -> str:
    return ",".join(items(driver, "spec", "volumeLifecycleModes")) or "Persistent"


def _token_requests(driver: Manifest) -> str:
    return ",".join(str(one.get("audience")) for one in items(driver, "spec", "tokenRequests"))


CSI_DRIVER: tuple[Column, ...] = (
    column(
        "AttachRequired",
        lambda one: dig(one, "spec", "attachRequired") is not False,
        type_="boolean",
    ),
    column("PodInfoOnMount", lambda one: bool(dig(one, "spec", "podInfoOnMount")), type_="boolean"),
    column(
        "StorageCapacity", lambda one: bool(dig(one, "spec", "storageCapacity")), type_="boolean"
    ),
    column("TokenRequests", lambda one: _token_requests(one) or UNSET),
    column(
        "RequiresRepublish",
        lambda one: bool(dig(one, "spec", "requiresRepublish")),
        type_="boolean",
    ),
    column("Modes", _modes),
    AGE,
)
CSI_NODE: tuple[Column, ...] = (
    column("Drivers", lambda one: len(items(one, "spec", "drivers")), type_="integer"),
    AGE,
)


def _claim_state(claim: Manifest) -> str:
    states = []
    if dig(claim, "metadata", "deletionTimestamp"):
        states.append("deleted")
    if dig(claim, "status", "allocation") is None:
        states += [] if states else ["pending"]
    else:
        reserved = bool(items(claim, "status", "reservedFor"))
        states += ["allocated", "reserved"] if reserved else ["allocated"]
    return ",".join(states)


RESOURCE_CLAIM: tuple[Column, ...] = (column("State", _claim_state), AGE)
RESOURCE_SLICE: tuple[Column, ...] = (
    field("Node", "spec", "nodeName"),
    field("Driver", "spec", "driver"),
    field("Pool", "spec", "pool", "name"),
    AGE,
)
