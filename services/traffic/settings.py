"""Settings of traffic, read from `HANSE_*` variables."""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from shared.bus.settings import NatsSettings
from shared.lease.settings import LeaseSettings
from shared.runtime.probes import ProbeSettings
from shared.telemetry.setup import TelemetrySettings


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsSettings:
    """Answering for names. Who may ask for those of a global zone, its object says."""

    port: int | None = None
    """Of UDP and TCP, 0 for any that is free; this process answers nobody where it is not set."""

    hosts: tuple[str, ...] = ("127.0.0.1",)
    """Addresses to answer at, for members and the world to reach."""

    server_id: str = ""
    """Told to who asks which server it is (NSID), such as the region."""

    clients: tuple[str, ...] = ("127.0.0.0/8", "::1/128")
    """Networks that may ask for names of `clusterset.local`: those of the members' CoreDNS."""

    cluster: str = ""
    """The member that asks, where neither its CoreDNS says so nor its network is known."""

    member_networks: tuple[str, ...] = ()
    """Where members ask from, as `eu-1=10.1.0.0/16`, for those whose CoreDNS does not say."""

    ttl: timedelta = timedelta(seconds=5)
    """How long answers for `clusterset.local` are remembered, also that there is no such name."""

    responses_per_second: int = 0
    """Of one name to one network over UDP; 0 is no limit. Members' CoreDNS asks for many."""

    size_max: int = 1232
    """Bytes of an answer over UDP; more is cut into pieces on some ways, and lost."""

    secondaries: tuple[str, ...] = ()
    """Networks of servers that may take `clusterset.local` over."""

    transfer_key: str = ""
    """The TSIG key they have to sign with; empty: their address is enough."""

    notify: tuple[str, ...] = ()
    """Addresses and ports of servers to tell that it changed."""

    keys_file: Path | None = None
    """TSIG keys in the words of BIND, as `tsig-keygen` prints them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    nats: NatsSettings = field(default_factory=NatsSettings)
    telemetry: TelemetrySettings = field(default_factory=TelemetrySettings)
    probes: ProbeSettings = field(default_factory=ProbeSettings)

    lease: LeaseSettings = field(default_factory=LeaseSettings)
    """Of the one process that writes; all of them know the catalogue and answer from it."""

    dns: DnsSettings = field(default_factory=DnsSettings)
    """Whether, and where, this process answers for names."""
