"""The formats of OpenAPI strings and numbers that Kubernetes checks.

A format nobody knows is no fault. Built-in kinds have few (dates, base64, quantities, integer
widths); custom kinds may name those of `k8s.io/kube-openapi/pkg/validation/strfmt`.
"""

import binascii
import ipaddress
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any
from urllib.parse import urlsplit

from shared.apimachinery.durations import parse_duration
from shared.apimachinery.quantity import parse_quantity

_HOST = re.compile(
    r"(?=.{1,253}\.?$)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    r"(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*\.?"
)
_EMAIL = re.compile(r"[^@\s<>]{1,64}@[^@\s<>]{1,255}")
_MAC = re.compile(r"[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}")
_HEX = r"[0-9A-Fa-f]"
_UUID = re.compile(rf"{_HEX}{{8}}-?{_HEX}{{4}}-?{_HEX}{{4}}-?{_HEX}{{4}}-?{_HEX}{{12}}")
_TIMESTAMP = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_INT_BITS = {"int32": 31, "int-or-string": 31, "int64": 63}
QUANTITY_RULE = (
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
)


def format_fault(name: str, value: Any) -> str | None:
    """Return what is wrong with *value* as a `str.format` text with `{path}`; None if it fits."""
    if name == "quantity":
        return None if _reads(parse_quantity, value) else QUANTITY_RULE
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        bits = _INT_BITS.get(name)
        if bits is not None and not -(1 << bits) <= value < 1 << bits:
            return f"{{path}} in body should be of type {name}"
        return None
    check = _CHECKS.get(name)
    if check is None or not isinstance(value, str) or check(value):
        return None
    return f"{{path}} in body must be of type {name}"


def _reads(read: Callable[[Any], object], value: Any) -> bool:
    try:
        read(value)
    except ValueError:
        return False
    return True


def _is_date_time(text: str) -> bool:
    if _TIMESTAMP.fullmatch(text) is None:
        return False
    # Only microseconds are read; the digits beyond them cannot be wrong.
    return _reads(datetime.fromisoformat, re.sub(r"(\.[0-9]{6})[0-9]+", r"\1", text.upper()))


def _is_base64(text: str) -> bool:
    try:
        binascii.a2b_base64(text.translate(_NEWLINES), strict_mode=True)
    except (binascii.Error, ValueError):
        return False
    return True


_NEWLINES = {ord("\n"): None, ord("\r"): None}


def _is_cidr(text: str) -> bool:
    return "/" in text and _reads(lambda one: ipaddress.ip_network(one, strict=False), text)


def _is_uri(text: str) -> bool:
    return _reads(urlsplit, text) and bool(urlsplit(text).scheme or text.startswith("/"))


_CHECKS: Mapping[str, Callable[[str], bool]] = {
    "date": lambda text: len(text) == 10 and _reads(date.fromisoformat, text),
    "date-time": _is_date_time,
    "datetime": _is_date_time,
    "duration": lambda text: _reads(parse_duration, text),
    "byte": _is_base64,
    "email": lambda text: _EMAIL.fullmatch(text) is not None,
    "hostname": lambda text: _HOST.fullmatch(text) is not None,
    "ipv4": lambda text: _reads(ipaddress.IPv4Address, text),
    "ipv6": lambda text: "%" not in text and _reads(ipaddress.IPv6Address, text),
    "ip": lambda text: _reads(ipaddress.ip_address, text),
    "cidr": _is_cidr,
    "mac": lambda text: _MAC.fullmatch(text) is not None,
    "uri": _is_uri,
    "uuid": lambda text: _UUID.fullmatch(text) is not None,
    "uuid3": lambda text: _UUID.fullmatch(text) is not None,
    "uuid4": lambda text: _UUID.fullmatch(text) is not None,
    "uuid5": lambda text: _UUID.fullmatch(text) is not None,
}
