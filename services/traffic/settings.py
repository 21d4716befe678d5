"""Settings of traffic, read from `HANSE_*` variables."""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from shared.bus.settings import NatsSettings
from shared.controller.loop import LoopSettings
from shared.lease.settings import LeaseSettings
from shared.runtime.place import process_name
from shared.runtime.probes import ProbeSettings
from shared.telemetry.setup import TelemetrySettings


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsSettings:
    """Answering for names. Who may ask for those of a global zone, its object says."""

    port: int | None = None
    """Of UDP and TCP, 0 for any that is free; this process answers nobody where it is not set."""

    only: bool = False
    """Answer for names and nothing else: for a process near those who ask. Others have to write."""

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
class FrontSettings:
    """Of a process that fronts the fleet with HAProxy, and does nothing else."""

    config: Path | None = None
    """The file that HAProxy runs by, which this process writes; without one it is no front."""

    socket: Path = Path("/run/hanse-haproxy.sock")
    """HAProxy's runtime API."""

    binary: str = "haproxy"

    reload: str = ""
    """The command that has somebody's HAProxy read its file again, such as `systemctl reload
    haproxy`; without one this process runs HAProxy itself."""

    address: str = "127.0.0.1"
    """Where it listens."""

    http_port: int = 8080
    """For plans with host names; others listen on the port of their service."""

    region: str = ""
    """Where the clients are: whose split counts."""

    name: str = field(default_factory=process_name)
    """By which its counts are known; fronts of one name overwrite each other's words."""

    interval: timedelta = timedelta(seconds=1)
    """How often it asks, beside being told."""

    word_interval: timedelta = timedelta(seconds=2)
    """How often it says what it counted."""

    check_interval: timedelta = timedelta(seconds=0.5)
    """Between two checks of an endpoint; two that fail end its share of the traffic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    nats: NatsSettings = field(default_factory=NatsSettings)
    telemetry: TelemetrySettings = field(default_factory=TelemetrySettings)
    probes: ProbeSettings = field(default_factory=ProbeSettings)

    lease: LeaseSettings = field(default_factory=LeaseSettings)
    """Of the one process that writes; all of them know the catalogue and answer from it."""

    dns: DnsSettings = field(default_factory=DnsSettings)
    """Whether, and where, this process answers for names."""

    loop: LoopSettings = field(default_factory=LoopSettings)

    front: FrontSettings = field(default_factory=FrontSettings)

    split_soon: timedelta = timedelta(seconds=1)
    """From one write of a split to the next where much moves; who gets nothing any more is told at
    once."""

    split_late: timedelta = timedelta(seconds=10)
    """The same where little moves, and for what load balancers counted."""

    clusterset: str = "hanse"
    """The name of the set of all members, as they publish it (`clusterset.k8s.io`)."""
