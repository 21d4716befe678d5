"""What members export and import, as their workers report it, and what came of it, on the way back.

Upwards, the last word on `hanse.endpoints.<cluster>.<namespace>.<name>` is a `ServiceReport`, as
long as the member exports that service, or the hub does and the member has it, or the member
imports it; each of its slices is a `SliceReport` on a subject below that, so that a change of one
endpoint costs no more than its slice. They are written before the service and end after it. The
last word on `hanse.endpoints.<cluster>.namespaces` is a `NamespacesReport`. Nothing is reported
before everything that it rests on was listed, so what is missing is missing in the member.
Downwards, the last word on `hanse.exports.<cluster>.<object>` is a `StatusNote`: the status that
the member's own ServiceExport or ServiceImport is to show, which nobody but its worker can write.

A subject ends with a message that has no body, and expires.
"""

from ipaddress import ip_address
from typing import Annotated, Any, Literal

import msgspec

from shared.errors import MalformedEvent

AddressType = Literal["IPv4", "IPv6", "FQDN"]
Protocol = Literal["TCP", "UDP", "SCTP"]


NUMBERS = range(1, 65_536)
"""Of ports."""


class _Value(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    pass


class PortReport(_Value, frozen=True, kw_only=True):
    """Of a Service the port clients ask for, of a slice the one endpoints listen on."""

    port: Annotated[int, msgspec.Meta(ge=NUMBERS.start, lt=NUMBERS.stop)]
    name: str = ""
    protocol: Protocol = "TCP"
    app_protocol: str = ""


class EndpointReport(_Value, frozen=True, kw_only=True):
    """As `discovery.k8s.io/v1` means them, with its defaults where a slice says nothing."""

    addresses: tuple[str, ...]
    ready: bool = True
    serving: bool = True
    terminating: bool = False
    hostname: str = ""
    node_name: str = ""
    zone: str = ""
    for_zones: tuple[str, ...] = ()


class SliceReport(
    _Value, frozen=True, kw_only=True, tag_field="type", tag="endpoint-slice.reported.v1"
):
    """One EndpointSlice of a Service; `name` is its own in the member."""

    name: str
    address_type: AddressType = "IPv4"
    ports: tuple[PortReport, ...] = ()
    endpoints: tuple[EndpointReport, ...] = ()


class ExportReport(_Value, frozen=True, kw_only=True):
    """The member's own ServiceExport; `since` is when it was created, RFC 3339."""

    uid: str
    since: str
    generation: int = 0
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class ServiceFace(_Value, frozen=True, kw_only=True):
    """What of a Service concerns clients elsewhere. `since` is when it was created, RFC 3339.

    `ingress`: addresses and host names by which a load balancer lets the world reach it.
    """

    type: str = "ClusterIP"
    headless: bool = False
    since: str = ""
    ports: tuple[PortReport, ...] = ()
    session_affinity: Literal["None", "ClientIP"] = "None"
    session_affinity_seconds: int | None = None
    ip_families: tuple[Literal["IPv4", "IPv6"], ...] = ()
    internal_traffic_policy: str = ""
    traffic_distribution: str = ""
    ingress: tuple[str, ...] = ()


class ServiceReport(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    tag_field="type",
    tag="service.reported.v1",
):
    """`service` is None where there is no such Service.

    `slices` are put together from reports of their own; workers of an older version had them here.
    `ips` are those by which the member's own clients reach the imported service; the member
    itself gave them. `left_out`: in words, what of it was too much, or could not be understood.
    """

    export: ExportReport | None = None
    service: ServiceFace | None = None
    slices: tuple[SliceReport, ...] = ()
    ips: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


class NamespacesReport(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    tag_field="type",
    tag="namespaces.reported.v1",
):
    """Namespaces of imported services that exist in the member and are not on their way out.

    `names` says whether the member's CoreDNS asks others for `clusterset.local`. `reach`, where
    somebody in the member's network tried: why an endpoint of each other member cannot be reached
    from there; empty where it can.
    """

    namespaces: tuple[str, ...]
    names: Literal["Unknown", "Forwarded", "NotForwarded", "NoCoreDNS"] = "Unknown"
    reach: dict[str, str] = {}


class StatusNote(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="status.noted.v1"
):
    """The whole `status` of one object. `uid`: of that object only; empty for any of the name."""

    api_version: str
    kind: str
    resource: str
    uid: str
    status: dict[str, Any]


def family_of(text: str) -> Literal["IPv4", "IPv6", ""]:
    """Of an address; empty for what is none.

    Old servers take `10.0.0.010`, of which each reader makes another address: it is none.
    """
    try:
        return "IPv6" if ip_address(text).version == 6 else "IPv4"
    except ValueError:
        return ""


_encode = msgspec.json.Encoder(order="deterministic").encode
_decode_service = msgspec.json.Decoder(ServiceReport).decode
_decode_slice = msgspec.json.Decoder(SliceReport).decode
_decode_namespaces = msgspec.json.Decoder(NamespacesReport).decode
_decode_note = msgspec.json.Decoder(StatusNote).decode

AnyReport = ServiceReport | SliceReport | NamespacesReport | StatusNote


def encode_export(report: AnyReport) -> bytes:
    """Equal reports have equal bytes."""
    return _encode(report)


def decode_service(body: bytes) -> ServiceReport:
    """Raises `MalformedEvent`, as the others."""
    try:
        return _decode_service(body)
    except msgspec.DecodeError as err:
        raise MalformedEvent(f"no report of a service: {err}") from err


def decode_slice(body: bytes) -> SliceReport:
    try:
        return _decode_slice(body)
    except msgspec.DecodeError as err:
        raise MalformedEvent(f"no report of a slice: {err}") from err


def decode_namespaces(body: bytes) -> NamespacesReport:
    try:
        return _decode_namespaces(body)
    except msgspec.DecodeError as err:
        raise MalformedEvent(f"no report of namespaces: {err}") from err


def decode_note(body: bytes) -> StatusNote:
    try:
        return _decode_note(body)
    except msgspec.DecodeError as err:
        raise MalformedEvent(f"no note of a status: {err}") from err
