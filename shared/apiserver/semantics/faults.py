"""Faults worded as Kubernetes words them, and checks that many kinds share.

Source: `k8s.io/apimachinery/pkg/util/validation/field`.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from shared.apimachinery import texts
from shared.apimachinery.quantity import parse_quantity
from shared.apimachinery.scalars import shown
from shared.errors import FieldError

PORT_MAX = 65_535
ID_MAX = 2**31 - 1
PROTOCOLS = ("SCTP", "TCP", "UDP")
_MODE_MAX = 0o777
_DRIVER_NAME_MAX = 63
TextRule = Callable[[str], texts.Faults]


def required(path: str, why: str = "") -> FieldError:
    return FieldError(path, f"Required value: {why}" if why else "Required value", _REQUIRED)


_REQUIRED = "FieldValueRequired"


def invalid(path: str, value: object, why: str) -> FieldError:
    return FieldError(path, f"Invalid value: {shown(value)}: {why}")


def duplicate(path: str, value: object) -> FieldError:
    return FieldError(path, f"Duplicate value: {shown(value)}", "FieldValueDuplicate")


def forbidden(path: str, why: str) -> FieldError:
    return FieldError(path, f"Forbidden: {why}", "FieldValueForbidden")


def not_found(path: str, value: str) -> FieldError:
    return FieldError(path, f"Not found: {shown(value)}", "FieldValueNotFound")


def unsupported(path: str, value: object, allowed: Iterable[str]) -> FieldError:
    """*allowed* in the order that is shown."""
    supported = ", ".join(shown(each) for each in allowed)
    message = f"Unsupported value: {shown(value)}: supported values: {supported}"
    return FieldError(path, message, "FieldValueNotSupported")


def too_long(path: str, most: int) -> FieldError:
    return FieldError(path, f"Too long: may not be more than {most} bytes", "FieldValueTooLong")


def too_many(path: str, count: int, most: int) -> FieldError:
    message = f"Too many: {count}: must have at most {most} items"
    return FieldError(path, message, "FieldValueTooMany")


def text(value: object, path: str, rule: TextRule) -> Iterator[FieldError]:
    """Every fault of one text; what is no text is none here."""
    if isinstance(value, str):
        for why in rule(value):
            yield invalid(path, value, why)


def named(
    value: Mapping[str, Any], path: str, rule: TextRule, name: str = "name"
) -> Iterator[FieldError]:
    """A text that must be there and sound."""
    found = value.get(name)
    if found:
        yield from text(found, f"{path}.{name}", rule)
    else:
        yield required(f"{path}.{name}")


def driver_name(value: Mapping[str, Any], path: str, name: str = "name") -> Iterator[FieldError]:
    """The name of a driver of storage (CSI), which must be there."""
    found = value.get(name)
    if not found:
        yield required(f"{path}.{name}")
        return
    if len(found) > _DRIVER_NAME_MAX:
        yield too_long(f"{path}.{name}", _DRIVER_NAME_MAX)
    for why in texts.subdomain(found.lower()):
        yield invalid(f"{path}.{name}", found, why)


def one_of(
    value: Mapping[str, Any], name: str, path: str, allowed: Collection[str]
) -> Iterator[FieldError]:
    """An enumeration; absent is fine."""
    found = value.get(name)
    if found not in (None, "") and found not in allowed:
        yield unsupported(f"{path}.{name}", found, allowed)


def at_least(
    value: Mapping[str, Any], path: str, names: Iterable[str], least: int = 0
) -> Iterator[FieldError]:
    """Numbers with a lower bound; absent is fine."""
    for name in names:
        found = value.get(name)
        if isinstance(found, int) and found < least:
            why = f"must be greater than or equal to {least}" if least != 1 else _POSITIVE
            yield invalid(f"{path}.{name}", found, why)


_POSITIVE = "must be greater than 0"


def within(value: object, path: str, least: int, most: int) -> Iterator[FieldError]:
    if isinstance(value, int) and not least <= value <= most:
        yield invalid(path, value, f"must be between {least} and {most}, inclusive")


def port_number(number: object, path: str) -> Iterator[FieldError]:
    yield from within(number, path, 1, PORT_MAX)


def port(value: object, path: str) -> Iterator[FieldError]:
    """A port by its number or its name; an absent one is 0."""
    if isinstance(value, str):
        yield from text(value, path, texts.port_name)
    else:
        yield from port_number(value or 0, path)


def file_mode(value: Mapping[str, Any], path: str, name: str) -> Iterator[FieldError]:
    found = value.get(name)
    if isinstance(found, int) and not 0 <= found <= _MODE_MAX:
        why = (
            "must be a number between 0 and 0777 (octal), both inclusive, or a number between 0 "
            "and 511 (decimal), both inclusive"
        )
        yield invalid(f"{path}.{name}", found, why)


def unique(items: Iterable[Mapping[str, Any]], name: str, path: str) -> Iterator[FieldError]:
    seen: set[str] = set()
    for number, one in enumerate(items):
        found = one.get(name)
        if not isinstance(found, str):
            continue
        if found in seen:
            yield duplicate(f"{path}[{number}].{name}", found)
        seen.add(found)


def amount(
    value: Mapping[str, Any], name: str, path: str, *, whole: bool = False
) -> Iterator[FieldError]:
    """A number of pods or a share of them (`25%`), *whole*: no more than all of them."""
    found = value.get(name)
    at = f"{path}.{name}"
    if isinstance(found, int) and found < 0:
        yield invalid(at, found, "must be greater than or equal to 0")
    elif isinstance(found, str):
        faults = texts.percent(found)
        yield from text(found, at, texts.percent)
        if whole and not faults and int(found.rstrip("%")) > 100:
            yield invalid(at, found, "must not be greater than 100%")


def is_nothing(amount_given: object) -> bool:
    """Whether a number or share of pods comes to none."""
    if isinstance(amount_given, str):
        return texts.percent(amount_given) != () or int(amount_given.rstrip("%")) == 0
    return not amount_given


def labels(value: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    for key, each in value.items():
        yield from text(key, path, texts.label_key)
        yield from text(each, path, texts.label_value)


def strings(found: object) -> Sequence[str]:
    """Return the texts in a list, or none."""
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else ()


def amount_of(value: str | float | None) -> Decimal:
    """A quantity; null is none."""
    return parse_quantity(value or 0)


def not_negative(value: Any, path: str) -> Iterator[FieldError]:
    """A quantity."""
    if amount_of(value) < 0:
        yield invalid(path, str(value), "must be greater than or equal to 0")
