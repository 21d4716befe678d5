"""`GlobalZone`: a domain whose names the world asks Hanse for.

The names are the `hosts` of TrafficPolicies: each leads to where its policy sends the traffic of
whoever asks. People write `spec`; the service traffic alone writes `status`.
"""

from typing import Annotated, Literal

from msgspec import Meta

from shared.api.meta import Condition, Kind, Struct

GLOBAL_ZONES = "globalzones"

ACCEPTED = "Accepted"
"""False: nobody answers for it, since another zone has the domain."""
TRANSFERABLE = "Transferable"
"""There while `transfer` is given: whether its key is known."""
NAMES_RESOLVE = "NamesResolve"
"""False while a host of some policy gets no address; the message says which, and why."""
UPDATED = "Updated"
"""There while `update` is given: whether the other server holds what the zone says."""
ENDPOINTS_WRITTEN = "EndpointsWritten"
"""There while `dnsEndpoints` is given: whether external-dns is told."""


class NameServer(Struct, frozen=True, kw_only=True):
    """A server of the zone, by which the domain above it delegates to this one."""

    name: Annotated[str, Meta(description="A host name; one within the zone needs addresses.")]
    addresses: tuple[str, ...] = ()


class RegionNetworks(Struct, frozen=True, kw_only=True):
    """Where in the world addresses are: `region` is that of Clusters."""

    region: str
    networks: Annotated[tuple[str, ...], Meta(description="As 203.0.113.0/24.")]


class HostOptions(Struct, frozen=True, kw_only=True):
    """What holds for one host in place of what holds for the zone."""

    host: str
    ttl_seconds: int | None = None
    addresses_max: int | None = None


class FixedRecord(Struct, frozen=True, kw_only=True):
    """What a name says whoever asks."""

    name: Annotated[str, Meta(description="Below the domain; @ is the domain itself.")]
    type: Literal["A", "AAAA", "CNAME", "TXT"]
    values: tuple[str, ...]
    ttl_seconds: int | None = None


class ZoneTransfer(Struct, frozen=True, kw_only=True):
    """Which servers may take the whole zone over (AXFR, IXFR), and are told when it changes.

    They serve what is the same for everyone: of each name all addresses in use, without weights.
    """

    allow: Annotated[tuple[str, ...], Meta(description="Networks, as 203.0.113.0/24.")]
    key: Annotated[
        str, Meta(description="The TSIG key they have to sign with, one of the process's own.")
    ] = ""
    notify: Annotated[
        tuple[str, ...], Meta(description="Addresses and ports, as 203.0.113.7:53.")
    ] = ()


class ZoneUpdate(Struct, frozen=True, kw_only=True):
    """A server that keeps the same domain, and is told every change (RFC 2136).

    Names there that Hanse has not made stay as they are.
    """

    server: Annotated[str, Meta(description="Address and port, as 203.0.113.7:53.")]
    key: Annotated[
        str, Meta(description="The TSIG key to sign with; it has to permit transfers too.")
    ]


class DnsEndpoints(Struct, frozen=True, kw_only=True):
    """Tells external-dns: a DNSEndpoint in each policy's namespace.

    The kind is that of its CustomResourceDefinition, which has to be applied here before.
    """

    labels: dict[str, str] = {}


class GlobalZoneSpec(Struct, frozen=True, kw_only=True):
    domain: Annotated[str, Meta(description="As global.example.com.")]
    name_servers: tuple[NameServer, ...]
    contact: Annotated[
        str, Meta(description="Who answers for it, an address such as dns@example.com.")
    ] = ""
    ttl_seconds: Annotated[
        int, Meta(description="How long an answer is remembered (1 to 86400, default 30).")
    ] = 30
    negative_ttl_seconds: Annotated[
        int, Meta(description="How long it is remembered that there is no such name (default 10).")
    ] = 10
    addresses_max: Annotated[
        int,
        Meta(description="Addresses of the chosen cluster in one answer (1 to 16, default 4)."),
    ] = 4
    when_nobody_is_ready: Annotated[
        Literal["AnswerAll", "AnswerNothing"],
        Meta(
            description="What a host whose traffic can go nowhere says. AnswerAll (default): every"
            " address it has, for a verdict may be wrong, and there is nothing better to say."
        ),
    ] = "AnswerAll"
    namespaces: Annotated[
        tuple[str, ...],
        Meta(description="Whose policies may have hosts here; none given is every namespace."),
    ] = ()
    regions: Annotated[
        tuple[RegionNetworks, ...],
        Meta(
            description="Where askers are: by what their resolver tells of them (EDNS client"
            " subnet), or else by its own address. The narrowest network counts."
        ),
    ] = ()
    hosts: tuple[HostOptions, ...] = ()
    records: tuple[FixedRecord, ...] = ()
    clients: Annotated[
        tuple[str, ...], Meta(description="Networks that may ask; none given is the world.")
    ] = ()
    responses_per_second: Annotated[
        int,
        Meta(
            description="Of one name to one network over UDP, for that can be forged; what is more"
            " is asked to come over TCP. 0: no limit (default 100)."
        ),
    ] = 100
    transfer: ZoneTransfer | None = None
    update: ZoneUpdate | None = None
    dns_endpoints: DnsEndpoints | None = None


class GlobalZoneStatus(Struct, frozen=True, kw_only=True):
    """`names` counts the hosts that are answered for."""

    observed_generation: int = 0
    names: int = 0
    conditions: tuple[Condition, ...] = ()


class GlobalZone(Kind, frozen=True, kw_only=True):
    kind: str = "GlobalZone"
    spec: GlobalZoneSpec
    status: GlobalZoneStatus = GlobalZoneStatus()
