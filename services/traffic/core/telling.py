"""What ServiceExports and ServiceImports say of themselves: conditions of the standard (pure)."""

from collections.abc import Collection, Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import Any

from services.traffic.core.exports import Settled, Validity
from services.traffic.core.folding import Folded
from shared.api.conditions import find_condition, with_condition
from shared.api.meta import Condition, section
from shared.api.multicluster import (
    CONFLICT,
    EXPORTED,
    FAILED,
    IP_FAMILY_NOT_SUPPORTED,
    NO_CONFLICTS,
    NO_SERVICE,
    PENDING,
    READY,
    VALID,
)

_MESSAGE_MAX = 2_000
NOBODY: Mapping[str, str] = MappingProxyType({})


def export_status(
    folded: Folded,
    cluster: str,
    before: Sequence[Condition],
    *,
    generation: int,
    importers: Collection[str],
    refusals: Mapping[str, str] = NOBODY,
    now: str,
) -> dict[str, Any]:
    """The status of the ServiceExport of *cluster*; *importers* are members that get an import.

    *refusals*: of some of those why they did not take it.
    """
    validity = folded.validity[cluster]
    return _status(before, _conditions(validity, folded, importers, refusals), generation, now)


def hub_export_status(
    folded: Folded,
    before: Sequence[Condition],
    *,
    generation: int,
    importers: Collection[str],
    refusals: Mapping[str, str] = NOBODY,
    now: str,
) -> dict[str, Any]:
    """The status of the ServiceExport at the hub: valid where one member at least has a Service."""
    found = sorted(folded.validity.items())
    validity = next((one for _, one in found if one.is_valid), None)
    if validity is None:
        wrong = "; ".join(f"{cluster}: {one.message}" for cluster, one in found)
        reason = found[0][1].reason if found else NO_SERVICE
        message = wrong or "no member has a Service of that name"
        validity = Validity(reason, message[:_MESSAGE_MAX])
    return _status(before, _conditions(validity, folded, importers, refusals), generation, now)


def import_status(
    folded: Folded, before: Sequence[Condition], *, at: str, now: str
) -> dict[str, Any]:
    """The status of the ServiceImport in member *at*; of the one at the hub where that is empty."""
    service = folded.service
    assert service is not None
    ready = Condition(type=READY, status="True", reason=READY, message="")
    if at and service.type == "ClusterSetIP":
        ips = service.ips_by_cluster.get(at, ())
        given = {"IPv6" if ":" in ip else "IPv4" for ip in ips}
        slices = chain.from_iterable(folded.slices.values())
        wanted = {one.address_type for one in slices} - {"FQDN"}
        if not ips:
            message = "the member has not given it an address yet"
            ready = Condition(type=READY, status="False", reason=PENDING, message=message)
        elif wanted and not wanted & given:
            message = (
                f"its endpoints are reached by {', '.join(sorted(wanted))},"
                f" and the member has {', '.join(sorted(given))} only"
            )
            ready = Condition(
                type=READY, status="False", reason=IP_FAMILY_NOT_SUPPORTED, message=message
            )
    status = _status(before, [ready], 0, now)
    return {"clusters": [{"cluster": one} for one in service.exporters], **status}


def conditions_in(status: Mapping[str, Any]) -> tuple[Condition, ...]:
    """Read the conditions of a status that was told before; what is no condition is passed over."""
    return tuple(
        Condition(
            type=str(one["type"]),
            status=str(one["status"]),
            reason=str(one.get("reason") or ""),
            message=str(one.get("message") or ""),
            last_transition_time=str(one.get("lastTransitionTime") or ""),
            observed_generation=int(one.get("observedGeneration") or 0),
        )
        for one in status.get("conditions") or ()
        if isinstance(one, Mapping) and one.get("type") and one.get("status")
    )


def _conditions(
    validity: Validity, folded: Folded, importers: Collection[str], refusals: Mapping[str, str]
) -> list[Condition]:
    valid = Condition(
        type=VALID,
        status="True" if validity.is_valid else "False",
        reason=validity.reason,
        message=validity.message,
    )
    settled = folded.settled
    if not validity.is_valid or settled is None:
        message = "nothing can be exported yet: see the condition Valid"
        return [valid, Condition(type=READY, status="False", reason=PENDING, message=message)]
    return [valid, _ready(importers, refusals), _conflict(settled)]


def _ready(importers: Collection[str], refusals: Mapping[str, str]) -> Condition:
    count = len(set(importers) - refusals.keys())
    why = "; ".join(f"{cluster}: {one}" for cluster, one in sorted(refusals.items()))
    if refusals and not count:
        message = f"no member takes the import: {why}"[:_MESSAGE_MAX]
        return Condition(type=READY, status="False", reason=FAILED, message=message)
    told = "1 member" if count == 1 else f"{count} members"
    without = f", but not by {why}" if why else ""
    message = f"exported to the fleet, imported by {told}{without}"[:_MESSAGE_MAX]
    return Condition(type=READY, status="True", reason=EXPORTED, message=message)


def _conflict(settled: Settled) -> Condition:
    if not settled.conflicts:
        message = "all exports of the service agree"
        return Condition(type=CONFLICT, status="False", reason=NO_CONFLICTS, message=message)
    reasons = ",".join(one.reason for one in settled.conflicts)
    message = "; ".join(one.message for one in settled.conflicts)
    return Condition(type=CONFLICT, status="True", reason=reasons, message=message[:_MESSAGE_MAX])


def _status(
    before: Sequence[Condition], conditions: Sequence[Condition], generation: int, now: str
) -> dict[str, Any]:
    """*generation* 0: which one the object has is not known, and so nothing is said of it.

    `kubectl wait` takes an observed generation below the object's for news that are still to come.
    """
    told: tuple[Condition, ...] = ()
    for one in conditions:
        old = find_condition(before, one.type)
        observed = Condition(
            type=one.type,
            status=one.status,
            reason=one.reason,
            message=one.message,
            observed_generation=generation,
        )
        told = with_condition(told if old is None else (*told, old), observed, now=now)
    found = section(told)
    if not generation:
        for one in found:
            one.pop("observedGeneration", None)
    return {"conditions": found}
