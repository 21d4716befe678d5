"""A gateway over a nats-server, alone: nothing else of Hanse runs beside it."""

import asyncio
import os
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from hanse.local.layout import free_port
from shared.bus.settings import NatsSettings
from shared.memberapi.sealing import ensure_key
from shared.runtime.certificates import ensure_serving_certificate
from shared.runtime.nats_server import NatsServer
from shared.runtime.tokens import ensure_token

READY_SECONDS_MAX = 120.0


class Program:
    """A Python module run as a process of its own."""

    def __init__(self, *words: str, environment: Mapping[str, str], log: Path) -> None:
        self._words = words
        self._environment = environment
        self._log = log
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None, "it has not been started"
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        with self._log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                *self._words,
                stdout=output,
                stderr=output,
                env={**os.environ, **self._environment},
            )

    async def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.running and self._process is not None:
            self._process.send_signal(how)
            await self._process.wait()


@dataclass(frozen=True, slots=True)
class Site:
    """Where the gateway answers, and what it runs on."""

    url: str
    token: str
    tls: ssl.SSLContext
    tls_folder: Path
    nats: NatsSettings
    gateway: Program

    def session(self, url: str = "", *, connections: int = 32) -> aiohttp.ClientSession:
        """For the gateway, or for *url* behind the same certificate; 0 is no limit.

        A client that opens a connection for each request that waits measures handshakes.
        """
        return aiohttp.ClientSession(
            url or self.url,
            connector=aiohttp.TCPConnector(limit=connections, ssl=self.tls),
            headers={"Authorization": f"Bearer {self.token}"},
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_read=60),
            trust_env=False,
        )

    async def until_ready(self) -> None:
        await until_answers(f"{self.url}/readyz", self.tls)


async def until_answers(url: str, tls: ssl.SSLContext) -> None:
    """Wait until *url* is answered 200."""
    async with (
        aiohttp.ClientSession(trust_env=False) as session,
        asyncio.timeout(READY_SECONDS_MAX),
    ):
        while True:
            try:
                async with session.get(url, ssl=tls) as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.02)


def gateway_environment(
    folder: Path, nats: NatsServer, *, port: int, probes_port: int
) -> dict[str, str]:
    """Settings of a gateway whose keys and certificates are in *folder*."""
    return {
        "HANSE_NATS_URL": nats.url,
        "HANSE_NATS_CREDENTIALS_FILE": str(nats.credentials_file),
        "HANSE_ENVELOPE_KEY_FILE": str(folder / "envelope.key"),
        "HANSE_PROBES_PORT": str(probes_port),
        "HANSE_PORT": str(port),
        "HANSE_TLS_FOLDER": str(folder / "tls"),
        "HANSE_TOKENS_FILE": str(folder / "tokens"),
    }


@asynccontextmanager
async def run_gateway(folder: Path) -> AsyncIterator[Site]:
    """Run both under *folder* until left."""
    ensure_key(folder / "envelope.key")
    ensure_serving_certificate(folder / "tls", ("127.0.0.1",))
    token = ensure_token(folder / "tokens")
    port = free_port()
    async with NatsServer(folder / "nats") as nats:
        environment = gateway_environment(folder, nats, port=port, probes_port=free_port())
        gateway = Program("services.gateway", environment=environment, log=folder / "gateway.log")
        site = Site(
            url=f"https://127.0.0.1:{port}",
            token=token,
            tls=ssl.create_default_context(cafile=folder / "tls" / "ca.crt"),
            tls_folder=folder / "tls",
            nats=nats.settings,
            gateway=gateway,
        )
        await gateway.start()
        try:
            await site.until_ready()
            yield site
        finally:
            await gateway.end()
