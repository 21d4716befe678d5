"""Settings of the scheduler: how long a silent member is borne, how hard it works."""

from dataclasses import dataclass, field
from datetime import timedelta

from shared.bus.settings import NatsSettings
from shared.controller.loop import LoopSettings
from shared.lease.settings import LeaseSettings
from shared.runtime.probes import ProbeSettings
from shared.telemetry.setup import TelemetrySettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    nats: NatsSettings = field(default_factory=NatsSettings)
    telemetry: TelemetrySettings = field(default_factory=TelemetrySettings)
    probes: ProbeSettings = field(default_factory=ProbeSettings)
    loop: LoopSettings = field(default_factory=LoopSettings)

    lease: LeaseSettings = field(default_factory=LeaseSettings)
    """Of the one process that decides; the others stand by."""

    toleration: timedelta = timedelta(seconds=1)
    """How long work stays on a member tainted as unreachable, in whole seconds, where its policy
    does not say itself."""

    toleration_not_ready: timedelta = timedelta(seconds=30)
    """The same where the member answers that it is not ready."""

    moves_max: int = 0
    """How many workloads may move at once where nothing forces them to, as when a cluster joins or
    returns; 0: any number."""

    rest: timedelta = timedelta(0)
    """How long the clusters must have been as they are before such a move begins."""

    giving_way_max: int = 20
    """How many workloads may be giving way to others of a higher priority at once."""

    room_delay: timedelta = timedelta(seconds=1)
    """How long changes of free room are gathered before those who wait for it are tried again."""

    signal_delay: timedelta = timedelta(seconds=10)
    """How long changes of prices and other signals are gathered before what follows them is looked
    at."""

    plugin_rest: timedelta = timedelta(seconds=5)
    """How long a plugin that gave no good answer is not asked. What must hear it is looked at again
    after twice as long."""

    follow_delay: timedelta = timedelta(milliseconds=200)
    """How long changes of its users are gathered before an object that follows them is looked at.
    Where it is needed first, it goes before its user, without delay."""

    reference_delay: timedelta = timedelta(seconds=10)
    """How long what a template refers to may be missing before that is told."""

    policy_delay: timedelta = timedelta(milliseconds=500)
    """How long changes are gathered before a policy's status is counted anew."""
