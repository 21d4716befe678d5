"""Two gateways over one nats-server, as processes that can be made to fail.

One that ends by itself is started again, as its supervisor would, and counted.
"""

import asyncio
import random
import signal
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from bench.gateway import Program, gateway_environment
from shared.memberapi.sealing import ensure_key
from shared.runtime.certificates import ensure_serving_certificate
from shared.runtime.nats_server import NatsServer
from shared.runtime.tokens import ensure_token
from tests.processes import free_ports

READY_SECONDS_MAX = 60.0


class Site:
    """What the writers and the followers talk to, and the faults that befall it."""

    def __init__(self, nats: NatsServer, gateways: dict[str, Program]) -> None:
        """*gateways* by their URLs."""
        self.nats = nats
        self.gateways = gateways
        self.faults = self.deaths = 0

    @property
    def urls(self) -> list[str]:
        return list(self.gateways)

    async def until_ready(self, session: aiohttp.ClientSession) -> None:
        async with asyncio.timeout(READY_SECONDS_MAX):
            for url, gateway in self.gateways.items():
                while not await _is_ready(session, url):
                    if not gateway.running:
                        self.deaths += 1
                        await gateway.start()
                    await asyncio.sleep(0.05)

    async def trouble(self, rng: random.Random, session: aiohttp.ClientSession) -> None:
        """One fault and its end: a gateway or NATS, killed or asked to stop."""
        self.faults += 1
        how = rng.choice((signal.SIGTERM, signal.SIGKILL))
        if rng.random() < 0.3:
            await (self.nats.kill() if how is signal.SIGKILL else self.nats.stop())
            await asyncio.sleep(rng.random())
            await self.nats.start()
        else:
            gateway = rng.choice(list(self.gateways.values()))
            await gateway.end(how)
            await gateway.start()
        await self.until_ready(session)


async def _is_ready(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(f"{url}/readyz") as response:
            return response.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


@asynccontextmanager
async def run_site(folder: Path) -> AsyncIterator[tuple[Site, aiohttp.ClientSession]]:
    """Run everything under *folder*; the session carries an administrator's token."""
    ensure_key(folder / "envelope.key")
    ensure_serving_certificate(folder / "tls", ("127.0.0.1",))
    token = ensure_token(folder / "tokens")
    tls = ssl.create_default_context(cafile=folder / "tls" / "ca.crt")
    nats = NatsServer(folder / "nats")
    gateways: dict[str, Program] = {}
    async with (
        nats,
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=tls, limit=0),
            headers={"Authorization": f"Bearer {token}"},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=60),
            trust_env=False,
        ) as session,
    ):
        for name in ("one", "two"):
            port, probes = free_ports(2)
            environment = gateway_environment(folder, nats, port=port, probes_port=probes)
            log = folder / f"gateway-{name}.log"
            gateway = Program("services.gateway", environment=environment, log=log)
            gateways[f"https://127.0.0.1:{port}"] = gateway
        site = Site(nats, gateways)
        try:
            for gateway in gateways.values():
                await gateway.start()
            await site.until_ready(session)
            yield site, session
        finally:
            for gateway in gateways.values():
                await gateway.end(signal.SIGKILL)
