"""Settings of the propagator, read from `HANSE_*` variables."""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal

from services.propagator.apply.worker import WorkerSettings
from services.propagator.core.fence import FenceSettings
from shared.bus.settings import NatsSettings
from shared.lease.settings import LeaseSettings
from shared.runtime.probes import ProbeSettings
from shared.telemetry.setup import TelemetrySettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where dispatch and apply run, and how hard they work."""

    role: Literal["all", "dispatch", "apply"] = "all"
    """Dispatch belongs to the hub; apply runs there, in a region, or beside a member."""

    clusters: str = ".*"
    """Members whose workers run here, as a regular expression of the whole name."""

    beside: str = ""
    """The one member that this process runs beside and serves (mode Pull), by the credentials it
    finds there and not by the sealed ones."""

    member_kubeconfig: Path | None = None
    """How to call that member; without it as a pod of the member does."""

    fence: FenceSettings = field(default_factory=FenceSettings)

    envelope_key: str = field(default="", repr=False)
    """The key that opens member credentials, in base64; wins over the file."""

    envelope_key_file: Path | None = None

    dispatch_workers: int = 16
    """Templates dispatched at the same time."""

    resync: timedelta = timedelta(minutes=10)
    """Every template is looked at this often though nothing changed."""

    member_deadline: timedelta = timedelta(seconds=15)
    """How long one call to a member may take."""

    worker: WorkerSettings = field(default_factory=WorkerSettings)
    lease: LeaseSettings = field(default_factory=LeaseSettings)
    """Of the one process that dispatches; the others stand by."""

    nats: NatsSettings = field(default_factory=NatsSettings)
    probes: ProbeSettings = field(default_factory=ProbeSettings)
    telemetry: TelemetrySettings = field(default_factory=TelemetrySettings)

    @property
    def dispatches(self) -> bool:
        return self.role != "apply" and not self.beside

    @property
    def applies(self) -> bool:
        return self.role != "dispatch" or bool(self.beside)
