"""Faults worded as Kubernetes words them, and checks that many kinds share."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from shared.apimachinery.selectors import LabelSelector, from_manifest
from shared.errors import FieldError

PORT_MAX = 65_535
_PERCENT = re.compile(r"[0-9]+%")
_PORT_NAME = re.compile(r"(?=.{1,15}$)(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*")


def required(path: str, why: str = "") -> FieldError:
    return FieldError(path, f"Required value: {why}" if why else "Required value", _REQUIRED)


def invalid(path: str, value: object, why: str) -> FieldError:
    shown = f'"{value[:80]}"' if isinstance(value, str) else value
    return FieldError(path, f"Invalid value: {shown}: {why}")


def duplicate(path: str, value: str) -> FieldError:
    return FieldError(path, f'Duplicate value: "{value[:80]}"', "FieldValueDuplicate")


def forbidden(path: str, why: str) -> FieldError:
    return FieldError(path, f"Forbidden: {why}", "FieldValueForbidden")


_REQUIRED = "FieldValueRequired"


def one_of(
    value: Mapping[str, Any], name: str, path: str, allowed: Collection[str]
) -> Iterator[FieldError]:
    """An enumeration; absent is fine."""
    found = value.get(name)
    if found in (None, "") or found in allowed:
        return
    supported = ", ".join(f'"{each}"' for each in sorted(allowed))
    message = f'Unsupported value: "{str(found)[:80]}": supported values: {supported}'
    yield FieldError(f"{path}.{name}", message, "FieldValueNotSupported")


def at_least(
    value: Mapping[str, Any], path: str, names: Iterable[str], least: int = 0
) -> Iterator[FieldError]:
    """Numbers with a lower bound; absent is fine."""
    for name in names:
        found = value.get(name)
        if isinstance(found, int) and found < least:
            why = f"must be greater than or equal to {least}"
            yield invalid(f"{path}.{name}", found, why)


def port_number(number: object, path: str) -> Iterator[FieldError]:
    if isinstance(number, int) and not 1 <= number <= PORT_MAX:
        yield invalid(path, number, f"must be between 1 and {PORT_MAX}, inclusive")


def port_name(name: str, path: str) -> Iterator[FieldError]:
    """RFC 6335: what may stand for a number of a container's port."""
    if not _PORT_NAME.fullmatch(name):
        yield invalid(
            path,
            name,
            "must be no more than 15 lower case letters, digits and '-', with at least one letter",
        )


def unique(items: Iterable[Mapping[str, Any]], name: str, path: str) -> Iterator[FieldError]:
    seen: set[str] = set()
    for number, one in enumerate(items):
        found = one.get(name)
        if not isinstance(found, str):
            continue
        if found in seen:
            yield duplicate(f"{path}[{number}].{name}", found)
        seen.add(found)


def amount(value: Mapping[str, Any], name: str, path: str) -> Iterator[FieldError]:
    """A number of pods or a share of them (`25%`); absent is fine."""
    found = value.get(name)
    if isinstance(found, int) and found < 0:
        yield invalid(f"{path}.{name}", found, "must be greater than or equal to 0")
    elif isinstance(found, str) and not _PERCENT.fullmatch(found):
        yield invalid(
            f"{path}.{name}",
            found,
            "a valid percent string must be a numeric string followed by an ending '%' "
            "(e.g. '1%', or '93%')",
        )


def is_nothing(amount_given: object) -> bool:
    """Whether a number or share of pods comes to none."""
    return amount_given == 0 or (
        isinstance(amount_given, str) and amount_given.rstrip("%").strip("0") == ""
    )


def selector(
    spec: Mapping[str, Any], path: str
) -> tuple[LabelSelector | None, tuple[FieldError, ...]]:
    """The label selector that a workload must have; None where it has no sound one."""
    found = spec.get("selector")
    if not isinstance(found, Mapping):
        return None, (required(f"{path}.selector"),)
    try:
        read = from_manifest(found)
    except ValueError as err:
        return None, (FieldError(f"{path}.selector", f"Invalid value: {err}"),)
    if not read.requirements:
        fault = invalid(f"{path}.selector", "{}", "empty selector is invalid")
        return None, (fault,)
    return read, ()
