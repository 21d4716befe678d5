"""How much of a member's Services and EndpointSlices is taken in, and what is left out (pure).

Members are other people's clusters, and what passes here goes into every other member: this is the
one place where it is bounded. What is no port or address is left out as well, and either is told,
by numbers and kinds, in the condition of the export. The bounds are far above what Kubernetes' own
controllers make of a service that anybody runs.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from shared.apimachinery import texts
from shared.events.exports import (
    NUMBERS,
    EndpointReport,
    PortReport,
    SliceReport,
    family_of,
)

PORTS_MAX = 1_000
"""Of a Service, and of each slice."""
SLICES_MAX = 1_000
ENDPOINTS_MAX = 10_000
"""Of all slices of a service together."""
ADDRESSES_MAX = 100
"""Of one endpoint, as in Kubernetes, where only the first one counts."""
TEXTS_MAX = 2 * 1024 * 1024
"""Letters of all endpoints of a service together: a report has to fit into a message."""

_TYPES = ("IPv4", "IPv6", "FQDN")
_PROTOCOLS = ("TCP", "UDP", "SCTP")
_ZONES_MAX = 8
_LABEL_MAX, _NAME_MAX = 63, 253


class Intake:
    """Of one service of one member; *left_out* says what there was beyond."""

    def __init__(self) -> None:
        self._left: Counter[str] = Counter()
        self._endpoints = ENDPOINTS_MAX
        self._letters = TEXTS_MAX

    @property
    def left_out(self) -> tuple[str, ...]:
        return tuple(f"{what} ({count:,})" for what, count in sorted(self._left.items()))

    def ports(self, ports: Any) -> tuple[PortReport, ...]:
        found: list[PortReport] = []
        for one in _list(ports):
            if (port := self._port(_mapping(one))) is None:
                self._left["ports that are none"] += 1
            elif len(found) == PORTS_MAX:
                self._left[f"ports beyond the first {PORTS_MAX:,}"] += 1
            else:
                found.append(port)
        return tuple(found)

    def slices(self, slices: Iterable[tuple[str, str, Any, Any]]) -> tuple[SliceReport, ...]:
        """Take name, address type, ports and endpoints of each; the first by name count first."""
        found: list[SliceReport] = []
        for name, kind, ports, endpoints in sorted(slices, key=lambda one: one[0]):
            if kind not in _TYPES:
                self._left["slices with addresses of an unknown type"] += 1
            elif len(found) == SLICES_MAX:
                self._left[f"slices beyond the first {SLICES_MAX:,}"] += 1
            else:
                found.append(
                    SliceReport(
                        name=name,
                        address_type=kind,  # type: ignore[arg-type]
                        ports=self.ports(ports),
                        endpoints=tuple(self._each_endpoint(endpoints, kind)),
                    )
                )
        return tuple(found)

    def hosts(self, given: Iterable[Any]) -> tuple[str, ...]:
        """Of a load balancer: addresses and host names."""
        found = [one for one in given if isinstance(one, str) and one and len(one) <= _NAME_MAX]
        return tuple(found[:ADDRESSES_MAX])

    def _port(self, port: dict[str, Any]) -> PortReport | None:
        number, name = port.get("port"), str(port.get("name") or "")
        protocol = str(port.get("protocol") or "TCP")
        if type(number) is not int or number not in NUMBERS or protocol not in _PROTOCOLS:
            return None
        if name and texts.label(name):
            return None
        return PortReport(
            port=number,
            name=name,
            protocol=protocol,  # type: ignore[arg-type]
            app_protocol=self._text(port.get("appProtocol"), _NAME_MAX),
        )

    def _each_endpoint(self, endpoints: Any, kind: str) -> Iterator[EndpointReport]:
        for one in _list(endpoints):
            endpoint = _mapping(one)
            addresses = tuple(self._addresses(endpoint.get("addresses"), kind))
            if not addresses:
                continue
            read = self._endpoint(endpoint, addresses)
            # Of a name the letters count, and of the rest of an endpoint what its JSON takes.
            self._letters -= sum(map(len, addresses)) + len(read.hostname) + 100
            self._endpoints -= 1
            if self._endpoints < 0 or self._letters < 0:
                self._left["endpoints beyond what is taken in of a service"] += 1
                continue
            yield read

    def _addresses(self, given: Any, kind: str) -> Iterator[str]:
        found = [str(one) for one in _list(given)]
        if len(found) > ADDRESSES_MAX:
            beyond = f"addresses beyond the first {ADDRESSES_MAX} of an endpoint"
            self._left[beyond] += len(found) - ADDRESSES_MAX
        for one in found[:ADDRESSES_MAX]:
            if _is_address(one, kind):
                yield one
            else:
                self._left[f"addresses that are none of {kind}"] += 1

    def _endpoint(self, endpoint: dict[str, Any], addresses: tuple[str, ...]) -> EndpointReport:
        conditions = _mapping(endpoint.get("conditions"))
        # Unknown counts as ready, and whoever is ready serves (discovery.k8s.io/v1).
        ready = conditions.get("ready") is not False
        serving = conditions.get("serving")
        zones = _list(_mapping(endpoint.get("hints")).get("forZones"))[:_ZONES_MAX]
        return EndpointReport(
            addresses=addresses,
            ready=ready,
            serving=ready if serving is None else bool(serving),
            terminating=conditions.get("terminating") is True,
            hostname=self._text(endpoint.get("hostname"), _LABEL_MAX),
            node_name=self._text(endpoint.get("nodeName"), _NAME_MAX),
            zone=self._text(endpoint.get("zone"), _NAME_MAX),
            for_zones=tuple(self._text(_mapping(one).get("name"), _NAME_MAX) for one in zones),
        )

    def _text(self, value: Any, most: int) -> str:
        if not value:
            return ""
        text = str(value)
        if len(text) > most:
            self._left[f"texts of more than {most} letters"] += 1
            return ""
        return text


def _is_address(text: str, kind: str) -> bool:
    if kind == "FQDN":
        return bool(text) and len(text) <= _NAME_MAX
    return family_of(text) == kind


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
