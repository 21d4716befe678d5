"""Networks by address: who may ask, and where in the world who asks is."""

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Value = TypeVar("Value")

_REMEMBERED_MAX = 8_192


@dataclass(frozen=True, slots=True)
class _Net(Generic[Value]):
    size: int
    bits: int
    shift: int
    value: Value


class Networks(Generic[Value]):
    """What the most specific network around an address stands for."""

    def __init__(self, networks: Iterable[tuple[str, Value]]) -> None:
        """*networks* as CIDR, of either family; raises ValueError for what is none."""
        found = []
        for text, value in networks:
            net = ipaddress.ip_network(text, strict=False)
            shift = net.max_prefixlen - net.prefixlen
            size = net.max_prefixlen // 8
            found.append(_Net(size, int(net.network_address) >> shift, shift, value))
        self._networks: Sequence[_Net[Value]] = sorted(found, key=lambda net: net.shift)
        self._remembered: dict[bytes, Value | None] = {}

    def __bool__(self) -> bool:
        return bool(self._networks)

    def at(self, address: bytes) -> Value | None:
        """*address* packed; None where no network is around it."""
        try:
            return self._remembered[address]
        except KeyError:
            pass
        if len(self._remembered) >= _REMEMBERED_MAX:
            # Whoever forges addresses fills it; it is refilled by who really asks.
            self._remembered.clear()
        found = self._look_up(address)
        self._remembered[address] = found
        return found

    def _look_up(self, address: bytes) -> Value | None:
        size = len(address)
        number = int.from_bytes(address)
        for net in self._networks:
            if net.size == size and number >> net.shift == net.bits:
                return net.value
        return None


def packed(address: str) -> bytes:
    """An address as a socket tells it; IPv4 within IPv6 counts as IPv4, a scope is no part of it.

    Raises ValueError for what is no address.
    """
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped.packed
    return found.packed


def declared(by_name: Mapping[str, Iterable[str]]) -> Networks[str]:
    """Names by the networks each declares, such as regions."""
    return Networks((text, name) for name, texts in by_name.items() for text in texts)
