"""The status of a definition: which names it got, whether it is served, what is stored. Pure.

Source: `k8s.io/apiextensions-apiserver/pkg/controller` (`status`, `establish`, `finalizer`). All of
it follows from the definition and the names of the others in its group.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from shared.apimachinery.manifest import Manifest
from shared.apiserver.definitions.reading import at

ESTABLISHED = "Established"
NAMES_ACCEPTED = "NamesAccepted"
TERMINATING = "Terminating"
_ACCEPTED = ("True", "NoConflicts", "no conflicts found")
_INITIAL = ("True", "InitialNamesAccepted", "the initial names have been accepted")
_NOT_ACCEPTED = ("False", "NotAccepted", "not all names are accepted")
_GOING = ("True", "InstanceDeletionInProgress", "CustomResource deletion is in progress")


@dataclass(frozen=True, slots=True)
class Taken:
    """Names that others in the group have."""

    resources: Collection[str] = ()
    kinds: Collection[str] = ()
    builtin: bool = False
    """The very resource is the server's own."""


def status_of(definition: Manifest, taken: Taken, *, now: str) -> Manifest:
    """Return the status of a valid definition, whose status so far it has.

    Conditions that do not change keep their `lastTransitionTime`; *now* (RFC 3339) is for others.
    """
    spec, old = definition["spec"], definition.get("status") or {}
    names, verdict = _accept(spec["names"], old.get("acceptedNames") or {}, taken)
    accepted = verdict is _ACCEPTED
    established = accepted or is_true(definition, ESTABLISHED)
    storage = next(version["name"] for version in spec["versions"] if version.get("storage"))
    stored = list(old.get("storedVersions") or ())
    return {
        **old,
        "conditions": [
            _condition(old, NAMES_ACCEPTED, verdict, now),
            _condition(old, ESTABLISHED, _INITIAL if established else _NOT_ACCEPTED, now),
            *(one for one in old.get("conditions") or () if one.get("type") == TERMINATING),
        ],
        "acceptedNames": names,
        "storedVersions": stored if storage in stored else [*stored, storage],
    }


def terminating(definition: Manifest, *, now: str) -> Manifest:
    """Return a definition that is being deleted with the condition that says so."""
    status = definition.get("status") or {}
    others = [one for one in status.get("conditions") or () if one.get("type") != TERMINATING]
    conditions = [*others, _condition(status, TERMINATING, _GOING, now)]
    return {**definition, "status": {**status, "conditions": conditions}}


def is_true(definition: Manifest, condition: str) -> bool:
    """Whether the definition has the condition, and it is true."""
    conditions = at(definition, "status", "conditions") or ()
    return any(one.get("type") == condition and one.get("status") == "True" for one in conditions)


def _accept(
    wanted: Mapping[str, Any], had: Mapping[str, Any], taken: Taken
) -> tuple[dict[str, Any], tuple[str, str, str]]:
    """Return the names it has now, and the verdict; of several conflicts the last is told."""
    verdict = _ACCEPTED
    names = dict(had)
    if taken.builtin:
        return names, ("False", "PluralConflict", f'"{wanted["plural"]}" is already in use')
    for name in ("plural", "singular", "shortNames", "kind", "listKind"):
        others = taken.kinds if "ind" in name else taken.resources
        asked = wanted.get(name) or ()
        each = asked if isinstance(asked, list) else [asked]
        own = had.get(name) or ()
        known = own if isinstance(own, list) else [own]
        used = [one for one in each if one not in known and one in others]
        if used:
            why = ", ".join(f'"{one}" is already in use' for one in used)
            why = f"[{why}]" if len(used) > 1 else why
            verdict = ("False", f"{name[0].upper()}{name[1:]}Conflict", why)
        elif asked:
            names[name] = wanted[name]
        else:
            names.pop(name, None)
    if wanted.get("categories"):
        names["categories"] = wanted["categories"]
    else:
        names.pop("categories", None)
    return {"plural": "", "kind": "", **names}, verdict


def _condition(
    status: Mapping[str, Any], kind: str, verdict: tuple[str, str, str], now: str
) -> dict[str, str]:
    value, reason, message = verdict
    found: dict[str, str] = {
        "type": kind,
        "status": value,
        "reason": reason,
        "message": message,
        "lastTransitionTime": now,
    }
    for before in status.get("conditions") or ():
        if before.get("type") == kind and before.get("status") == value:
            found["lastTransitionTime"] = before.get("lastTransitionTime") or now
    return found
