"""Settings of health: how often it looks, when it believes, how much it writes."""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from shared.bus.settings import NatsSettings
from shared.lease.settings import LeaseSettings
from shared.runtime.place import process_name
from shared.runtime.probes import ProbeSettings
from shared.telemetry.setup import TelemetrySettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    lease: LeaseSettings = field(default_factory=LeaseSettings)
    """Of the one process that concludes what is written; all of them look."""

    nats: NatsSettings = field(default_factory=NatsSettings)
    telemetry: TelemetrySettings = field(default_factory=TelemetrySettings)
    probes: ProbeSettings = field(default_factory=ProbeSettings)

    envelope_key_file: Path | None = None
    """Opens the members' sealed credentials."""

    envelope_key: str = field(default="", repr=False)
    """The same key itself, base64; wins over the file."""

    observer: str = field(default_factory=process_name)
    """By whose eyes this process sees; observers of one name overwrite each other's words."""

    observes_only: bool = False
    """Look and nothing else: for an observer in a region far from NATS. Others have to judge."""

    region: str = ""
    """Where those eyes are; for people."""

    probe_interval: timedelta = timedelta(seconds=2)
    """From the start of one probe of a member to the next."""

    probe_again: timedelta = timedelta(seconds=1.5)
    """The same while it is in doubt whether the member is there, or is back."""

    probe_deadline: timedelta = timedelta(seconds=3)
    """How long a member may take to answer a probe."""

    patience: timedelta = timedelta(seconds=15)
    """How late an answer may come and still be one: then the member is slow, not silent."""

    slow_limit: timedelta = timedelta(seconds=1)
    """Of a member whose quickest answer takes so long it is said that it is slow."""

    expiry_warning: timedelta = timedelta(days=7)
    """How long before credentials end it is said that they do."""

    failures: int = 3
    """Probes in a row without an answer before a member counts as unreachable."""

    successes: int = 2
    """Good answers in a row before it counts as back."""

    observation_ttl: timedelta = timedelta(seconds=30)
    """How long an observer's word stands when it says nothing more."""

    capacity_interval: timedelta = timedelta(seconds=15)
    """How often the room of a member is reckoned anew; also the most often it is written."""

    brake_share: float = 0.55
    """When more than this share of the fleet seems gone at once, nobody is tainted any more."""

    brake_fleet_min: int = 3
    """Below this number of members there is no brake."""

    eviction_share: float = 0.25
    """Of the fleet so large a share, two members at least, is given up within one window."""

    eviction_window: timedelta = timedelta(minutes=1)
    """Of a region of which most seem gone one member is given up in five of them."""

    settle_base: timedelta = timedelta(minutes=1)
    """How long a member that failed twice within an hour has to be well before new shares come;
    twice as long with each time more."""

    refresh: timedelta = timedelta(minutes=5)
    """How old `observedTime` of a quiet member may become before it is written again."""

    fold_delay: timedelta = timedelta(milliseconds=100)
    """How long last reports of one template are gathered before its status is written."""

    fold_interval: timedelta = timedelta(seconds=1)
    """From one write of a template's status to the next; the first waits as long, unless every
    member has done its part. Not where a share moves."""

    fold_workers: int = 16
    """Templates whose status is written at the same time."""
