"""The options of a write: who writes, whether only on trial, what unknown fields come to. Pure.

Everything wrong with them is said at once, of `CreateOptions`, `UpdateOptions` or `PatchOptions`.
Source: `ValidatePatchOptions` and its neighbours in k8s.io/apimachinery.
"""

from collections.abc import Iterator, Mapping

from shared.apimachinery.manifest import GroupVersionKind
from shared.apimachinery.scalars import shown
from shared.apimachinery.short_cache import cached_when_short
from shared.apiserver.requests.negotiation import APPLY_PATCH
from shared.apiserver.requests.target import FIELD_VALIDATIONS, WriteOptions, read_bool
from shared.apiserver.status_errors import invalid
from shared.errors import FieldError

MANAGER_BYTES_MAX = 128
_KINDS = {"POST": "CreateOptions", "PUT": "UpdateOptions", "PATCH": "PatchOptions"}


def read_write_options(
    query: Mapping[str, str], method: str, *, user_agent: str = "", media: str = ""
) -> WriteOptions:
    """Raise `ApiFault` 422 for a value that is none. A manager unnamed is the client program."""
    applies = media == APPLY_PATCH
    if not query and not applies:
        return WriteOptions(field_manager=default_manager(user_agent))
    faults = list(_faults(query, method, applies=applies))
    if faults:
        raise invalid(GroupVersionKind("meta.k8s.io", "v1", _KINDS[method]), "", faults)
    return WriteOptions(
        dry_run=bool(query.get("dryRun")),
        field_manager=query.get("fieldManager") or default_manager(user_agent),
        field_validation=query.get("fieldValidation") or "Warn",
        force=read_bool(query, "force"),
    )


def _faults(query: Mapping[str, str], method: str, *, applies: bool) -> Iterator[FieldError]:
    manager = query.get("fieldManager", "")
    if applies and not manager:
        why = "Required value: is required for apply patch"
        yield FieldError("fieldManager", why, "FieldValueRequired")
    if method == "PATCH" and not applies and "force" in query:
        why = "Forbidden: may not be specified for non-apply patch"
        yield FieldError("force", why, "FieldValueForbidden")
    yield from manager_faults(manager, "fieldManager")
    dry_run = query.get("dryRun", "")
    if dry_run not in ("", "All"):
        why = f'Unsupported value: [{shown(dry_run)}]: supported values: "All"'
        yield FieldError("dryRun", why, "FieldValueNotSupported")
    validation = query.get("fieldValidation", "")
    if validation not in ("", *FIELD_VALIDATIONS):
        supported = ", ".join(f'"{each}"' for each in ("", *sorted(FIELD_VALIDATIONS)))
        why = f"Unsupported value: {shown(validation)}: supported values: {supported}"
        yield FieldError("fieldValidation", why, "FieldValueNotSupported")


def manager_faults(manager: str, path: str) -> Iterator[FieldError]:
    """Yield what is wrong with the name of a manager."""
    if len(manager.encode()) > MANAGER_BYTES_MAX:
        why = f"Too long: may not be more than {MANAGER_BYTES_MAX} bytes"
        yield FieldError(path, why, "FieldValueTooLong")
    for place, letter in enumerate(manager):
        if not letter.isprintable():
            at = len(manager[:place].encode())
            why = f"invalid character U+{ord(letter):04X} (at position {at})"
            yield FieldError(path, f"Invalid value: {shown(manager)}: {why}")


@cached_when_short(256)
def default_manager(user_agent: str) -> str:
    """The program's name out of its User-Agent, as kube-apiserver derives it."""
    name = "".join(letter for letter in user_agent.partition("/")[0] if letter.isprintable())
    return name[:MANAGER_BYTES_MAX] or "unknown"
