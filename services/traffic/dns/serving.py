"""DNS as a part of traffic: which zones there are, who is told of changes, where it listens."""

import asyncio
import random
from collections.abc import Callable, Mapping

import dns.name
import structlog

from services.traffic.core.dns.answering import Answering
from services.traffic.core.dns.door import Door, Served
from services.traffic.core.dns.networks import Networks
from services.traffic.core.dns.pacing import Pacing
from services.traffic.core.dns.zone import Zone
from services.traffic.dns.clusterset import ClustersetZone
from services.traffic.dns.keys import load_keys
from services.traffic.dns.listening import Listener, listen
from services.traffic.dns.notifying import Notifier
from services.traffic.dns.requests import Requests
from services.traffic.dns.worldwide import GlobalZones
from services.traffic.reconcilers.catalogue import LiveCatalogue
from services.traffic.reconcilers.guarding import Guard
from services.traffic.settings import DnsSettings
from shared.api.global_zone import GlobalZone
from shared.bus.port import Bus
from shared.clock import Clock
from shared.runtime.environment import BadSetting
from shared.runtime.process import Runnable
from shared.store.port import Mirror
from shared.telemetry import metrics

log = structlog.get_logger("hanse.dns")

_UNBOUND = ("0.0.0.0", "::")  # noqa: S104 - told apart, not bound.


class Dns:
    """The zones of this process; `tasks` run for as long as it lives.

    Without a port it answers nobody, and knows the global zones all the same: one such process
    writes what becomes of them.
    """

    def __init__(
        self,
        mirror: Mirror,
        bus: Bus,
        catalogue: LiveCatalogue,
        *,
        clock: Clock,
        settings: DnsSettings,
        guard: Guard,
    ) -> None:
        """Raise `BadSetting`."""
        self._bus = bus
        self._clock = clock
        self._settings = settings
        self.keys = load_keys(settings.keys_file)
        self._served: dict[bytes, Served] = {}
        self._notifier = Notifier(self.keys)
        self._known = asyncio.Event()
        self.answering = asyncio.Event()
        self.addresses: list[tuple[str, int]] = []
        """Where it answers, once it does."""
        self.looked_at: Callable[[str], None] | None = None
        """Called with the name of each GlobalZone of which something may be different."""

        self.zones = GlobalZones(
            mirror,
            catalogue,
            self._served,
            clock=clock,
            changed=self._global_changed,
            looked_at=self._global_looked_at,
            guard=guard,
        )
        self._clusterset = ClustersetZone(
            catalogue,
            clock,
            addresses=tuple(one for one in settings.hosts if one not in _UNBOUND),
            ttl=settings.ttl,
            changed=self._clusterset_changed,
            guard=guard,
        )
        self._serve_clusterset()

    @property
    def tasks(self) -> Mapping[str, Runnable]:
        tasks: dict[str, Runnable] = {"dns zones": self.zones.run}
        if self._settings.port is not None:
            tasks |= {
                "dns services": lambda: self._clusterset.run(self._known.set),
                "dns": self._listen,
                "dns notices": self._notifier.run,
                "dns age": self._tell_age,
            }
        return tasks

    def _serve_clusterset(self) -> None:
        settings = self._settings
        try:
            clients = Networks((text, True) for text in settings.clients)
            secondaries = Networks((text, True) for text in settings.secondaries)
            self._members = Networks(_named(text) for text in settings.member_networks)
        except ValueError as err:
            raise BadSetting(f"a network of DNS is none: {err}") from err
        if settings.transfer_key and dns.name.from_text(settings.transfer_key) not in self.keys:
            raise BadSetting(f"no key {settings.transfer_key} is in the file of keys of DNS")
        zone = self._clusterset.zone
        self._served[zone.origin] = Served(
            zone,
            clients=clients,
            secondaries=secondaries or None,
            transfer_key=settings.transfer_key,
            pacing=Pacing(settings.responses_per_second),
        )

    def _clusterset_changed(self, zone: Zone) -> None:
        self._notifier.tell(zone, self._settings.notify, self._settings.transfer_key)

    def _global_changed(self, zone: GlobalZone, said: Zone) -> None:
        transfer = zone.spec.transfer
        if transfer is not None:
            self._notifier.tell(said, transfer.notify, transfer.key)

    def _global_looked_at(self, name: str) -> None:
        if self.looked_at is not None:
            self.looked_at(name)

    def _cluster_of(self, address: bytes) -> str:
        return self._members.at(address) or self._settings.cluster

    async def _listen(self) -> None:
        # Before all is known, "there is no such name" would be a guess.
        await self._known.wait()
        settings = self._settings
        door = Door(
            self._served,
            Answering(
                draw=random.SystemRandom().random,
                size_max=settings.size_max,
                server_id=settings.server_id.encode(),
            ),
            cluster_of=self._cluster_of,
            monotonic=self._clock.monotonic,
        )
        listener = Listener(door, Requests(door, self.keys, self._clock).handle)
        assert settings.port is not None
        async with listen(listener, settings.hosts, settings.port) as found:
            log.info("dns.answering", at=[f"{host}:{port}" for host, port in found])
            self.addresses = found
            self.answering.set()
            await asyncio.Event().wait()

    async def _tell_age(self) -> None:
        """Without NATS it goes on with what it knows, and says for how long."""
        heard = self._clock.monotonic()
        while True:
            now = self._clock.monotonic()
            heard = now if self._bus.connected else heard
            metrics.DNS_STALE_SECONDS.set(now - heard)
            await self._clock.sleep(1.0)


def _named(text: str) -> tuple[str, str]:
    """`eu-1=10.1.0.0/16` as network and name."""
    name, equals, network = text.partition("=")
    if not equals or not name:
        raise ValueError(f"{text!r} is not CLUSTER=NETWORK")
    return network, name
