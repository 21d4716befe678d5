"""Claims of storage, and what is said of the ways it is used."""

from collections.abc import Iterator, Mapping
from typing import Any

from shared.apimachinery import texts
from shared.apimachinery.manifest import Manifest
from shared.apimachinery.parts import section
from shared.apiserver.semantics.faults import (
    amount_of,
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

_ACCESS_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
VOLUME_MODES = ("Block", "Filesystem")


def judge_claim(manifest: Manifest) -> list[FieldError]:
    return list(claim_spec(section(manifest, "spec"), "spec"))


def claim_spec(spec: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    if not spec.get("accessModes"):
        yield required(f"{path}.accessModes", "at least 1 access mode is required")
    yield from label_selector(section(spec, "selector"), f"{path}.selector")
    yield from access_modes(spec, path)
    storage, at = (
        section(spec, "resources", "requests").get("storage"),
        f"{path}.resources[storage]",
    )
    if storage is None:
        yield required(at)
    elif amount_of(storage) <= 0:
        yield invalid(at, str(storage), "must be greater than zero")
    if spec.get("storageClassName"):
        yield from text(spec["storageClassName"], f"{path}.storageClassName", texts.subdomain)
    yield from one_of(spec, "volumeMode", path, VOLUME_MODES)
    for name in ("dataSource", "dataSourceRef"):
        found = section(spec, name)
        # A source without a kind or name is dropped before it is looked at.
        if found.get("kind") and found.get("name"):
            yield from text(
                found.get("apiGroup") or "x", f"{path}.{name}.apiGroup", texts.subdomain
            )


def access_modes(spec: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    modes = strings(spec.get("accessModes"))
    for mode in modes:
        if mode not in _ACCESS_MODES:
            yield unsupported(f"{path}.accessModes", mode, _ACCESS_MODES)
    known = {mode for mode in modes if mode in _ACCESS_MODES}
    if "ReadWriteOncePod" in known and len(known) > 1:
        why = "may not use ReadWriteOncePod with other access modes"
        yield forbidden(f"{path}.accessModes", why)
