"""Judging an object of Hanse's own that is given along with a request, as if it were written."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from shared.api.meta import Kind, read
from shared.api.scheme import kind_named
from shared.apimachinery.manifest import GroupVersionKind, Manifest, name_of
from shared.apimachinery.schema import node
from shared.apimachinery.validation import validate
from shared.errors import FieldError, InvalidObject

Own = TypeVar("Own", bound=Kind)


def read_judged(
    manifest: Manifest, struct: type[Own], check: Callable[[Own], Iterable[FieldError]]
) -> Own:
    """Read it by its schema and *check*; raises `InvalidObject` with every fault."""
    kind = GroupVersionKind.of(manifest).kind
    entry = kind_named(kind)
    assert entry is not None, "the caller knows the kind"
    findings = validate({"spec": manifest.get("spec")}, node(entry.schema))
    faults = findings.faults + [
        FieldError(path, "Forbidden: unknown field", "FieldValueForbidden")
        for path in findings.unknown
    ]
    found = read(manifest, struct) if not faults else None
    faults += check(found) if found is not None else ()
    if found is None or faults:
        words = "; ".join(map(str, faults))
        raise InvalidObject(f"{kind} {name_of(manifest)} breaks its rules: {words}", faults)
    return found
