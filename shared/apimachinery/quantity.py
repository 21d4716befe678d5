"""Kubernetes quantities: `500m`, `1.5Gi`, `12e6`; read exactly, written canonically.

The rules are those of `k8s.io/apimachinery/pkg/api/resource`: what is finer than a nano is
rounded away from zero, what exceeds 2^63-1 is capped there, and the canonical form has no
fractional digits and the largest suffix that allows this. Arithmetic is on `Decimal`, whose
default precision of 28 digits is too little for exa with nano: use this module's functions.
"""

import re
from collections.abc import Iterable, Mapping
from decimal import ROUND_UP, Context, Decimal
from enum import StrEnum

from shared.apimachinery.short_cache import cached_when_short


class QuantityForm(StrEnum):
    """How a quantity was written, which its canonical form keeps."""

    DECIMAL = "DecimalSI"
    BINARY = "BinarySI"
    EXPONENT = "DecimalExponent"


# 19 digits before the point and 9 after it, and products of those with 2^60.
_EXACT = Context(prec=120)
_ROUNDING = Context(prec=120, rounding=ROUND_UP)
_NANO = Decimal("1e-9")
_LARGEST = Decimal(2**63 - 1)
_ZERO = Decimal(0)
# A longer text is no honest number and would cost time to read.
_TEXT_MAX = 64

_DECIMAL_SUFFIXES = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15}
_DECIMAL_SUFFIXES["E"] = 18
_BINARY_SUFFIXES = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_SUFFIX_OF_POWER = {power: suffix for suffix, power in _DECIMAL_SUFFIXES.items()}

_NUMBER = r"(?P<number>[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))"
_QUANTITY = re.compile(
    _NUMBER
    + r"(?:(?P<binary>[KMGTPE]i)|[eE](?P<exponent>[+-]?[0-9]{1,9})|(?P<decimal>[numkMGTPE]?))"
)


def parse_quantity(value: str | float) -> Decimal:
    """Read a quantity exactly; raises ValueError saying what was expected."""
    return _parse(str(value))[0]


def form_of(text: str) -> QuantityForm:
    """How *text* is written; raises ValueError as `parse_quantity` does."""
    return _parse(text)[1]


@cached_when_short(16_384)
def _parse(text: str) -> tuple[Decimal, QuantityForm]:
    found = _QUANTITY.fullmatch(text) if len(text) <= _TEXT_MAX else None
    if found is None:
        raise ValueError(
            f"{text[:_TEXT_MAX]!r} is not a quantity: expected a number with an optional suffix "
            "(n, u, m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi, Ei) or exponent, such as 500m or 1Gi"
        )
    number = Decimal(found["number"])
    if binary := found["binary"]:
        value = _EXACT.multiply(number, Decimal(2 ** _BINARY_SUFFIXES[binary]))
        return _bounded(value), QuantityForm.BINARY
    if exponent := found["exponent"]:
        # Beyond these powers every number that fits the text is capped or a nano anyway.
        power = max(-200, min(200, int(exponent)))
        return _bounded(number.scaleb(power, _EXACT)), QuantityForm.EXPONENT
    power = _DECIMAL_SUFFIXES[found["decimal"] or ""]
    return _bounded(number.scaleb(power, _EXACT)), QuantityForm.DECIMAL


def _bounded(value: Decimal) -> Decimal:
    if abs(value) > _LARGEST:
        return _LARGEST.copy_sign(value)
    if value.normalize(_EXACT).as_tuple().exponent < -9:  # type: ignore[operator]  # Finite.
        return value.quantize(_NANO, context=_ROUNDING)
    return value


def format_quantity(value: Decimal | int, form: QuantityForm = QuantityForm.DECIMAL) -> str:
    """Write *value* canonically; a binary form falls back to decimal where it would round."""
    amount = _bounded(Decimal(value))
    if form is QuantityForm.BINARY and abs(amount) >= 1024 and amount == amount.to_integral_value():
        number, power = int(amount), 0
        while power < 60 and number % 1024 == 0:
            number, power = number // 1024, power + 10
        return f"{number}{_binary_suffix(power)}"
    number, power = _without_fraction(amount)
    if form is QuantityForm.EXPONENT:
        return f"{number}e{power}" if power else str(number)
    return f"{number}{_SUFFIX_OF_POWER[power]}"


def _binary_suffix(power: int) -> str:
    return next((suffix for suffix, bits in _BINARY_SUFFIXES.items() if bits == power), "")


def _without_fraction(amount: Decimal) -> tuple[int, int]:
    """Split into an integer and the largest power of ten, a multiple of three, that allows it."""
    number, power = int(amount.scaleb(9, _EXACT)), -9
    if number == 0:
        return 0, 0
    while power < 18 and number % 1000 == 0:
        number, power = number // 1000, power + 3
    return number, power


def canonical_quantity(value: str | float) -> str:
    """As the API server stores it: `0.5` is `500m`, `1024Mi` is `1Gi`; raises ValueError."""
    amount, form = _parse(str(value))
    return format_quantity(amount, form)


def add_quantities(values: Iterable[Decimal]) -> Decimal:
    """Sum exactly."""
    total = _ZERO
    for value in values:
        total = _EXACT.add(total, value)
    return total


def subtract_quantities(left: Decimal, right: Decimal) -> Decimal:
    return _EXACT.subtract(left, right)


def sum_resources(lists: Iterable[Mapping[str, str | float]]) -> dict[str, str]:
    """Sum resource lists (`{"cpu": "1", "memory": "1Gi"}`) by name; raises ValueError.

    Each sum is written in the form in which its resource was first seen.
    """
    totals: dict[str, Decimal] = {}
    forms: dict[str, QuantityForm] = {}
    for resources in lists:
        for name, value in resources.items():
            amount, form = _parse(str(value))
            totals[name] = _EXACT.add(totals[name], amount) if name in totals else amount
            forms.setdefault(name, form)
    return {name: format_quantity(total, forms[name]) for name, total in totals.items()}
