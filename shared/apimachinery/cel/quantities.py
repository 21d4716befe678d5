"""Functions on quantities (`quantity("500Mi")`) and versions (`semver("1.2.3")`).

Source: `k8s.io/apiserver/pkg/cel/library` (`quantity.go`, `semverlib.go`).
"""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from shared.apimachinery.cel.functions import (
    BOOL,
    DOUBLE,
    INT,
    STRING,
    Signature,
    function,
    method,
)
from shared.apimachinery.cel.messages import QUANTITY, SEMVER, message
from shared.apimachinery.quantity import parse_quantity

_INT64 = 2**63
_NUMBER = r"(?:0|[1-9][0-9]*)"
_TAG = rf"(?:{_NUMBER}|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*)"
_SEMVER = re.compile(
    rf"({_NUMBER})\.({_NUMBER})\.({_NUMBER})(?:-({_TAG}(?:\.{_TAG})*))?(?:\+[0-9A-Za-z.-]+)?"
)


def _quantity(text: str) -> Any:
    return _of(parse_quantity(text))


def _of(value: Decimal) -> Any:
    return message("Quantity", format(value.normalize(), "f"))


def _value(quantity: Any) -> Decimal:
    return Decimal(quantity.text)


def _is_quantity(text: str) -> bool:
    try:
        parse_quantity(text)
    except ValueError:
        return False
    return True


def _is_integer(quantity: Any) -> bool:
    value = _value(quantity)
    return value == value.to_integral_value() and -_INT64 <= value < _INT64


def _as_integer(quantity: Any) -> int:
    if not _is_integer(quantity):
        raise ValueError("cannot convert value to integer")
    return int(_value(quantity))


def _plain(value: Any) -> Decimal:
    return Decimal(value) if isinstance(value, int) else _value(value)


def _compare(one: Any, other: Any) -> int:
    return int(one > other) - int(one < other)


def _sign(quantity: Any) -> int:
    return _compare(_value(quantity), 0)


_Version = tuple[tuple[int, ...], tuple[Any, ...]]


def _version(text: str, *, normalize: bool = False) -> tuple[str, _Version]:
    """Return the version's text without build data, and what it sorts by (semver 2.0, 11)."""
    if normalize:
        text = text.removeprefix("v")
        core, dash, rest = text.partition("-")
        numbers = [str(int(one)) if one.isdigit() else one for one in core.split(".")]
        text = ".".join([*numbers, "0", "0"][: max(3, len(numbers))]) + dash + rest
    found = _SEMVER.fullmatch(text)
    if found is None:
        raise ValueError(f'"{text}" is no semantic version')
    numbers_of = tuple(int(one) for one in found.groups()[:3])
    tags = found[4].split(".") if found[4] else []
    order = tuple((0, int(one), "") if one.isdigit() else (1, 0, one) for one in tags)
    # Without a tag it is released, which is after every tag.
    return text.partition("+")[0], (numbers_of, (bool(not tags), order))


def _semver(text: str, normalize: bool = False) -> Any:  # noqa: FBT001, FBT002
    return message("Semver", _version(text, normalize=normalize)[0])


def _is_semver(text: str, normalize: bool = False) -> bool:  # noqa: FBT001, FBT002
    try:
        _version(text, normalize=normalize)
    except ValueError:
        return False
    return True


def _number(place: int) -> Callable[[Any], int]:
    return lambda semver: _order(semver)[0][place]


def _order(semver: Any) -> _Version:
    return _version(semver.text)[1]


def _compared(result: Any, verdict: Callable[[int], Any]) -> tuple[Signature, Signature]:
    """Of two quantities, or of two versions."""

    def compare(one: Any, other: Any) -> Any:
        read: Callable[[Any], Any] = _order if one.DESCRIPTOR.name == "Semver" else _value
        return verdict(_compare(read(one), read(other)))

    return ([QUANTITY, QUANTITY], result, compare), ([SEMVER, SEMVER], result, None)


FUNCTIONS = (
    function("quantity", ([STRING], QUANTITY, _quantity)),
    function("isQuantity", ([STRING], BOOL, _is_quantity)),
    method("sign", ([QUANTITY], INT, _sign)),
    method("isInteger", ([QUANTITY], BOOL, _is_integer)),
    method("asInteger", ([QUANTITY], INT, _as_integer)),
    method("asApproximateFloat", ([QUANTITY], DOUBLE, lambda one: float(_value(one)))),
    method(
        "add",
        ([QUANTITY, QUANTITY], QUANTITY, lambda one, other: _of(_value(one) + _plain(other))),
        ([QUANTITY, INT], QUANTITY, lambda one, other: _of(_value(one) + _plain(other))),
    ),
    method(
        "sub",
        ([QUANTITY, QUANTITY], QUANTITY, lambda one, other: _of(_value(one) - _plain(other))),
        ([QUANTITY, INT], QUANTITY, lambda one, other: _of(_value(one) - _plain(other))),
    ),
    method("isLessThan", *_compared(BOOL, lambda order: order < 0)),
    method("isGreaterThan", *_compared(BOOL, lambda order: order > 0)),
    method("compareTo", *_compared(INT, lambda order: order)),
    function("semver", ([STRING], SEMVER, _semver), ([STRING, BOOL], SEMVER, _semver)),
    function("isSemver", ([STRING], BOOL, _is_semver), ([STRING, BOOL], BOOL, _is_semver)),
    method("major", ([SEMVER], INT, _number(0))),
    method("minor", ([SEMVER], INT, _number(1))),
    method("patch", ([SEMVER], INT, _number(2))),
)
