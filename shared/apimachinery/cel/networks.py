"""Functions on URLs, IP addresses and CIDR ranges.

Source: `k8s.io/apiserver/pkg/cel/library` (`urls.go`, `ip.go`, `cidr.go`). Addresses with a zone,
and IPv4 addresses in the clothes of IPv6, are refused.
"""

import ipaddress
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from shared.apimachinery.cel.functions import BOOL, DYN, INT, STRING, Type, function, method
from shared.apimachinery.cel.messages import CIDR, IP, URL, message

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Interface | ipaddress.IPv6Interface


def _address(text: str) -> _Address:
    if "%" in text:
        raise ValueError(f'IP address "{text}" with zone value is not allowed')
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        why = "parse error during conversion from string"
        raise ValueError(f'IP Address "{text}" {why}: unable to parse IP') from None
    if getattr(found, "ipv4_mapped", None) is not None:
        raise ValueError(f'IPv4-mapped IPv6 address "{text}" is not allowed')
    return found


def _network(text: str) -> _Network:
    why = f'network address parse error during conversion from string: "{text}"'
    address, slash, length = text.partition("/")
    if not slash or not length.isascii() or not length.isdigit() or length != str(int(length)):
        raise ValueError(why)
    _address(address)
    try:
        return ipaddress.ip_interface(text)
    except ValueError:
        raise ValueError(why) from None


def _url(text: str) -> Any:
    parts = urlsplit(text)
    if not (parts.scheme and (parts.netloc or parts.path)) and not text.startswith("/"):
        raise ValueError(f'URL parse error during conversion from string: parse "{text}"')
    _ = parts.port
    return message("URL", text)


def _is(read: Callable[[str], Any]) -> Callable[[str], bool]:
    def reads(text: str) -> bool:
        try:
            read(text)
        except ValueError:
            return False
        return True

    return reads


def _hostname(url: Any) -> str:
    return urlsplit(str(url.text)).hostname or ""


def _port(url: Any) -> str:
    port = urlsplit(url.text).port
    return "" if port is None else str(port)


def _host(url: Any) -> str:
    return urlsplit(str(url.text)).netloc.rpartition("@")[2]


def _query(url: Any) -> dict[str, list[str]]:
    return parse_qs(urlsplit(url.text).query, keep_blank_values=True)


def _property(name: str) -> Callable[[Any], bool]:
    return lambda ip: bool(getattr(_address(ip.text), name))


def _is_global_unicast(ip: Any) -> bool:
    # As Go has it: private addresses count.
    found = _address(ip.text)
    broadcast = found == ipaddress.IPv4Address("255.255.255.255")
    apart = found.is_unspecified or found.is_loopback or found.is_multicast or found.is_link_local
    return not (apart or broadcast)


def _contains_ip(cidr: Any, address: Any) -> bool:
    text = address if isinstance(address, str) else address.text
    return _address(text) in _network(cidr.text).network


def _contains_cidr(cidr: Any, other: Any) -> bool:
    inner = _network(other if isinstance(other, str) else other.text).network
    outer = _network(cidr.text).network
    same = outer.version == inner.version
    return same and outer.prefixlen <= inner.prefixlen and inner.network_address in outer


def _to_ip(text: str) -> Any:
    return message("IP", str(_address(text)))


def _to_cidr(text: str) -> Any:
    return message("CIDR", str(_network(text)))


FUNCTIONS = (
    function("url", ([STRING], URL, _url)),
    function("isURL", ([STRING], BOOL, _is(_url))),
    method("getScheme", ([URL], STRING, lambda url: urlsplit(url.text).scheme)),
    method("getHost", ([URL], STRING, _host)),
    method("getHostname", ([URL], STRING, _hostname)),
    method("getPort", ([URL], STRING, _port)),
    method("getEscapedPath", ([URL], STRING, lambda url: urlsplit(url.text).path)),
    method("getQuery", ([URL], Type.Map(STRING, DYN), _query)),
    function("ip", ([STRING], IP, _to_ip)),
    method("ip", ([CIDR], IP, lambda cidr: message("IP", str(_network(cidr.text).ip)))),
    function("isIP", ([STRING], BOOL, _is(_address))),
    function("ip.isCanonical", ([STRING], BOOL, lambda text: str(_address(text)) == text)),
    method("family", ([IP], INT, lambda ip: _address(ip.text).version)),
    method("isUnspecified", ([IP], BOOL, _property("is_unspecified"))),
    method("isLoopback", ([IP], BOOL, _property("is_loopback"))),
    method(
        "isLinkLocalMulticast",
        ([IP], BOOL, lambda ip: ip.text.startswith(("224.0.0.", "ff02:", "ff12:"))),
    ),
    method("isLinkLocalUnicast", ([IP], BOOL, _property("is_link_local"))),
    method("isGlobalUnicast", ([IP], BOOL, _is_global_unicast)),
    function("cidr", ([STRING], CIDR, _to_cidr)),
    function("isCIDR", ([STRING], BOOL, _is(_network))),
    method("containsIP", ([CIDR, STRING], BOOL, _contains_ip), ([CIDR, IP], BOOL, _contains_ip)),
    method(
        "containsCIDR",
        ([CIDR, STRING], BOOL, _contains_cidr),
        ([CIDR, CIDR], BOOL, _contains_cidr),
    ),
    method("prefixLength", ([CIDR], INT, lambda cidr: _network(cidr.text).network.prefixlen)),
    method(
        "masked", ([CIDR], CIDR, lambda cidr: message("CIDR", str(_network(cidr.text).network)))
    ),
)
