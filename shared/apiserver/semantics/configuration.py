"""ConfigMaps, Secrets and claims of storage."""

import re

from shared.apimachinery.manifest import Manifest
from shared.apimachinery.parts import section
from shared.apimachinery.quantity import parse_quantity
from shared.apiserver.semantics.faults import invalid, required
from shared.errors import FieldError

_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_KEY_MAX = 253
_ACCESS_MODES = frozenset(("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"))


def judge_data(manifest: Manifest) -> list[FieldError]:
    """Entries become files and variables; a name is in `data` or in `binaryData`."""
    data, binary = section(manifest, "data"), section(manifest, "binaryData")
    faults = [
        invalid(
            f"{part}[{key[:80]}]",
            key,
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.', "
            f"and have no more than {_KEY_MAX} of them",
        )
        for part, found in (("data", data), ("binaryData", binary))
        for key in found
        if len(key) > _KEY_MAX or not _KEY.fullmatch(key) or key.startswith("..") or key == "."
    ]
    faults += [
        invalid(f"binaryData[{key}]", key, "duplicate of key present in data")
        for key in binary
        if key in data
    ]
    return faults


def judge_claim(manifest: Manifest) -> list[FieldError]:
    spec = section(manifest, "spec")
    modes = spec.get("accessModes") or ()
    faults = [
        FieldError(
            "spec.accessModes",
            f'Unsupported value: "{str(mode)[:80]}": supported values: '
            + ", ".join(f'"{one}"' for one in sorted(_ACCESS_MODES)),
            "FieldValueNotSupported",
        )
        for mode in modes
        if mode not in _ACCESS_MODES
    ]
    if not modes:
        faults.append(required("spec.accessModes", "at least 1 access mode is required"))
    storage = section(spec, "resources", "requests").get("storage")
    if storage is None:
        faults.append(required("spec.resources[storage]"))
    elif parse_quantity(storage) <= 0:
        faults.append(invalid("spec.resources[storage]", storage, "must be greater than zero"))
    return faults
