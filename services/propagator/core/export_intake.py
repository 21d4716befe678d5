"""How much of a member's Services and EndpointSlices is taken in, and what is left out (pure).

Members are other people's clusters, and what passes here goes into every other member: this is the
one place where it is bounded. What is no port or address is left out as well, and either is told,
by numbers and kinds, in the condition of the export. The bounds are far above what Kubernetes' own
controllers make of a service that anybody runs.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

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
"""Letters of all endpoints of a service together: one slice of it has to fit into a message."""

_TYPES = ("IPv4", "IPv6", "FQDN")
_PROTOCOLS = ("TCP", "UDP", "SCTP")
_ZONES_MAX = 8
_LABEL_MAX, _NAME_MAX = 63, 253


@dataclass(frozen=True, slots=True)
class TakenSlice:
    """One slice, read by itself; `report` None for one with addresses of an unknown type."""

    name: str
    report: SliceReport | None
    letters: int
    left: Counter[str]


def take_slice(name: str, kind: str, ports: Any, endpoints: Any) -> TakenSlice:
    """Read a slice by its name, address type, ports and endpoints."""
    intake = Intake()
    if kind not in _TYPES:
        intake.leave("slices with addresses of an unknown type")
        return TakenSlice(name, None, 0, intake.left)
    report = SliceReport(
        name=name,
        address_type=kind,  # type: ignore[arg-type]
        ports=intake.ports(ports),
        endpoints=tuple(intake.endpoints(endpoints, kind)),
    )
    return TakenSlice(name, report, sum(map(_letters, report.endpoints)), intake.left)


class Intake:
    """Of one service of one member; *left_out* says what there was beyond."""

    def __init__(self) -> None:
        self.left: Counter[str] = Counter()
        self._endpoints = ENDPOINTS_MAX
        self._letters = TEXTS_MAX

    @property
    def left_out(self) -> tuple[str, ...]:
        return tuple(f"{what} ({count:,})" for what, count in sorted(self.left.items()))

    def leave(self, what: str) -> None:
        self.left[what] += 1

    def ports(self, ports: Any) -> tuple[PortReport, ...]:
        found: list[PortReport] = []
        for one in _list(ports):
            if (port := self._port(_mapping(one))) is None:
                self.leave("ports that are none")
            elif len(found) == PORTS_MAX:
                self.leave(f"ports beyond the first {PORTS_MAX:,}")
            else:
                found.append(port)
        return tuple(found)

    def slices(self, slices: Iterable[TakenSlice]) -> tuple[SliceReport, ...]:
        """Those of one service together; the first by name count first."""
        found: list[SliceReport] = []
        for one in sorted(slices, key=lambda one: one.name):
            if one.report is not None and len(found) == SLICES_MAX:
                self.leave(f"slices beyond the first {SLICES_MAX:,}")
                continue
            self.left += one.left
            if one.report is not None:
                found.append(self._bounded(one.report, one.letters))
        return tuple(found)

    def _bounded(self, report: SliceReport, letters: int) -> SliceReport:
        """As much of it as there is room for: mostly the very same."""
        if len(report.endpoints) <= self._endpoints and letters <= self._letters:
            self._endpoints -= len(report.endpoints)
            self._letters -= letters
            return report
        within = tuple(one for one in report.endpoints if self._has_room(one))
        return msgspec.structs.replace(report, endpoints=within)

    def _has_room(self, endpoint: EndpointReport) -> bool:
        self._letters -= _letters(endpoint)
        self._endpoints -= 1
        if self._endpoints >= 0 and self._letters >= 0:
            return True
        self.leave("endpoints beyond what is taken in of a service")
        return False

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

    def endpoints(self, endpoints: Any, kind: str) -> Iterator[EndpointReport]:
        for one in _list(endpoints):
            endpoint = _mapping(one)
            addresses = tuple(self._addresses(endpoint.get("addresses"), kind))
            if not addresses:
                continue
            yield self._endpoint(endpoint, addresses)

    def _addresses(self, given: Any, kind: str) -> Iterator[str]:
        found = [str(one) for one in _list(given)]
        if len(found) > ADDRESSES_MAX:
            beyond = f"addresses beyond the first {ADDRESSES_MAX} of an endpoint"
            self.left[beyond] += len(found) - ADDRESSES_MAX
        for one in found[:ADDRESSES_MAX]:
            if _is_address(one, kind):
                yield one
            else:
                self.leave(f"addresses that are none of {kind}")

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
            self.leave(f"texts of more than {most} letters")
            return ""
        return text


def _letters(endpoint: EndpointReport) -> int:
    """Of a name the letters count, and of the rest of an endpoint what its JSON takes."""
    return sum(map(len, endpoint.addresses)) + len(endpoint.hostname) + 100


def _is_address(text: str, kind: str) -> bool:
    if kind == "FQDN":
        return bool(text) and len(text) <= _NAME_MAX
    return family_of(text) == kind


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
