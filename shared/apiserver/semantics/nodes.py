"""Nodes, and the leases by which it is known who is alive."""

from collections.abc import Iterator, Mapping
from typing import Any

from shared.apimachinery import texts
from shared.apimachinery.manifest import Manifest
from shared.apimachinery.parts import entries, section
from shared.apiserver.semantics.faults import (
    duplicate,
    forbidden,
    invalid,
    required,
    strings,
    text,
    unsupported,
)
from shared.errors import FieldError

_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


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
    return [*faults, *_networks(spec)]


def _networks(spec: Mapping[str, Any]) -> Iterator[FieldError]:
    """Where the pods of a node live: one network of each family."""
    found = strings(spec.get("podCIDRs"))
    if (first := spec.get("podCIDR")) and first not in found[:1]:
        found = [first]
    for number, one in enumerate(found):
        yield from text(one, f"spec.podCIDRs[{number}]", texts.network)
    families = {":" in one for one in found}
    if len(found) > len(families):
        why = "may specify no more than one CIDR for each IP family"
        yield invalid("spec.podCIDRs", found, why)
