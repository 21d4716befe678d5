"""Where a host name leads: the cluster that the split gives to whoever asks, by its addresses."""

import ipaddress
import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import accumulate

from services.traffic.core.dns.names import is_host_name, parse_name
from services.traffic.core.dns.networks import Networks
from services.traffic.core.dns.records import AAAA, CNAME, A, RecordSet, addresses
from services.traffic.core.dns.zone import EMPTY, Asker, Choice, Node

ANYWHERE = ""
"""The region of who is in none that is known."""
_STICKY_BITS = {4: 24, 16: 56}


@dataclass(frozen=True, slots=True)
class Target:
    """One cluster, its part of the traffic, and what the name says when it is chosen."""

    cluster: str
    share: float
    node: Node


class _Wheel:
    """Draws a target by its share."""

    def __init__(self, targets: Sequence[Target]) -> None:
        self._targets = targets
        self._bounds = list(accumulate(one.share for one in targets))

    def drawn(self, draw: float) -> Node:
        if not self._targets:
            return EMPTY
        at = bisect_right(self._bounds, draw * self._bounds[-1])
        return self._targets[min(at, len(self._targets) - 1)].node

    def kept(self, who: bytes) -> Node:
        """The same for the same asker, as long as shares allow: few move when they change.

        Rendezvous hashing: each target scores by its share and by who asks, the highest wins.
        """
        if not self._targets:
            return EMPTY
        return max(self._targets, key=lambda one: _score(who, one)).node


def _score(who: bytes, target: Target) -> float:
    digest = blake2b(who + target.cluster.encode(), digest_size=8).digest()
    return -target.share / math.log(luck_of(digest))


def luck_of(digest: bytes) -> float:
    """Between 0 and 1, and never either of them: half steps of 52 bits are exact in a float."""
    return ((int.from_bytes(digest[:8]) >> 12) + 0.5) / 2**52


@dataclass(frozen=True, slots=True)
class SplitHost:
    """A `Chooser`: one host, and its targets by the region of who asks."""

    targets: Mapping[str, tuple[Target, ...]]
    """By region; `ANYWHERE` is always among them. Only those with a share."""
    regions: Networks[str] = field(compare=False)
    sticky: bool = False
    _wheels: dict[tuple[str, int], _Wheel] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )

    def choose(self, kind: int, asker: Asker, draw: float) -> Choice:
        subnet = asker.subnet.packed if asker.subnet is not None else b""
        where = subnet or asker.address
        region = self.regions.at(where) or ANYWHERE
        if region not in self.targets:
            region = ANYWHERE
        wheel = self._wheels.get((region, kind))
        if wheel is None:
            wheel = self._wheels[region, kind] = _Wheel(_usable(self.targets[region], kind))
        # What is said to one network may be remembered for no other.
        varies = self.sticky or len(self.targets) > 1
        scope = asker.subnet.source if varies and subnet and asker.subnet is not None else 0
        if self.sticky:
            bits = _STICKY_BITS.get(len(where), 0)
            return Choice(wheel.kept(where[: bits // 8]), scope)
        return Choice(wheel.drawn(draw), scope)

    @property
    def fixed(self) -> Node:
        """What it says to who cannot be told apart: all addresses in use, or one other name."""
        every = {one.cluster: one for of_one in self.targets.values() for one in of_one}
        aliases = [one for one in every.values() if CNAME in one.node]
        if aliases:
            return max(aliases, key=lambda one: one.share).node
        found: dict[int, RecordSet] = {}
        for kind in (A, AAAA):
            sets = [one.node[kind] for one in every.values() if kind in one.node]
            if sets:
                data = dict.fromkeys(data for one in sets for data in one.data)
                found[kind] = RecordSet(kind, min(one.ttl for one in sets), tuple(sorted(data)))
        return found


def _usable(targets: Sequence[Target], kind: int) -> Sequence[Target]:
    """Those that have an answer to *kind*: all, where one of them is another name.

    For a resolver that was told another name asks that for everything.
    """
    if kind not in (A, AAAA) or any(CNAME in one.node for one in targets):
        return targets
    return [one for one in targets if kind in one.node]


def host_of(gateway: str) -> str:
    """Of a host and a port, the host."""
    return gateway.rpartition(":")[0].removeprefix("[").removesuffix("]")


def node_of(hosts: Iterable[str], ttl: int, addresses_max: int) -> Node:
    """What leads to *hosts*: their addresses, or else the first that is a name."""
    ips: list[str] = []
    names: list[str] = []
    for host in hosts:
        try:
            ips.append(str(ipaddress.ip_address(host)))
        except ValueError:
            if is_host_name(host.lower()):
                names.append(host)
    if ips:
        return {
            one.type: RecordSet(one.type, ttl, one.data[:addresses_max])
            for one in addresses(ips, ttl)
        }
    return {CNAME: RecordSet(CNAME, ttl, (parse_name(names[0]),))} if names else EMPTY
