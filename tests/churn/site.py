"""Two gateways over one nats-server, as processes that can be made to fail."""

import asyncio
import os
import random
import signal
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from sys import executable

import aiohttp

from shared.memberapi.sealing import ensure_key
from shared.runtime.certificates import ensure_serving_certificate
from shared.runtime.nats_server import NatsServer
from shared.runtime.tokens import ensure_token
from tests.processes import free_ports

READY_SECONDS_MAX = 60.0


class Gateway:
    """One replica; its port stays the same over restarts."""

    def __init__(self, environment: dict[str, str], port: int, log: Path) -> None:
        self.url = f"https://127.0.0.1:{port}"
        self._environment = environment
        self._log = log
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        with self._log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                executable,
                "-m",
                "services.gateway",
                stdout=output,
                stderr=output,
                env={**os.environ, **self._environment},
            )

    async def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(how)
            await self._process.wait()


class Site:
    """What the writers and the followers talk to, and the faults that befall it."""

    def __init__(self, nats: NatsServer, gateways: list[Gateway], tls: ssl.SSLContext) -> None:
        self.nats = nats
        self.gateways = gateways
        self.tls = tls
        self.faults = 0

    @property
    def urls(self) -> list[str]:
        return [gateway.url for gateway in self.gateways]

    async def until_ready(self, session: aiohttp.ClientSession) -> None:
        async with asyncio.timeout(READY_SECONDS_MAX):
            for url in self.urls:
                while not await _is_ready(session, url):
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
            gateway = rng.choice(self.gateways)
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
    gateways = []
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
            environment = {
                "HANSE_NATS_URL": nats.url,
                "HANSE_NATS_CREDENTIALS_FILE": str(nats.credentials_file),
                "HANSE_ENVELOPE_KEY_FILE": str(folder / "envelope.key"),
                "HANSE_PROBES_PORT": str(probes),
                "HANSE_PORT": str(port),
                "HANSE_TLS_FOLDER": str(folder / "tls"),
                "HANSE_TOKENS_FILE": str(folder / "tokens"),
            }
            gateways.append(Gateway(environment, port, folder / f"gateway-{name}.log"))
        site = Site(nats, gateways, tls)
        try:
            for gateway in gateways:
                await gateway.start()
            await site.until_ready(session)
            yield site, session
        finally:
            for gateway in gateways:
                await gateway.end(signal.SIGKILL)
