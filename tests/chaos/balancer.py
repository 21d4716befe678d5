"""What stands before several gateways: a connection goes to one of those that are ready.

As a Service of Kubernetes has it: whoever is not ready gets no new connections, and keeps those it
has for as long as it likes.
"""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp
import msgspec

from hanse.hub import Hub, open_hub
from hanse.local.federation import Federation
from shared.memberapi.credentials import read_kubeconfig

LOOK_SECONDS = 0.2
_PIECE_BYTES = 64 * 1024


class Balancer:
    """Made by `open_balancer`; `port` is where it listens."""

    def __init__(self, targets: Mapping[int, str]) -> None:
        self.port = 0
        self._targets = targets
        self._ready = list(targets)
        self._turns = itertools.count()

    async def look(self, session: aiohttp.ClientSession) -> None:
        """Ask who is ready, again and again."""
        while True:
            found = []
            for port, url in self._targets.items():
                with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                    async with session.get(url) as answer:
                        if answer.status == 200:
                            found.append(port)
            self._ready = found
            await asyncio.sleep(LOOK_SECONDS)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ready = self._ready or list(self._targets)
        port = ready[next(self._turns) % len(ready)]
        ends = [writer]
        with contextlib.suppress(OSError, asyncio.CancelledError):
            there, onward = await asyncio.open_connection("127.0.0.1", port)
            ends.append(onward)
            await asyncio.gather(_pump(reader, onward), _pump(there, writer))
        for end in ends:
            end.close()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while piece := await source.read(_PIECE_BYTES):
        sink.write(piece)
        await sink.drain()
    with contextlib.suppress(OSError):
        sink.close()


@asynccontextmanager
async def open_balancer(targets: Mapping[int, str]) -> AsyncIterator[Balancer]:
    """Listen before loopback ports, each with the URL that says whether it is ready."""
    balancer = Balancer(targets)
    server = await asyncio.start_server(balancer.serve, "127.0.0.1", 0)
    balancer.port = server.sockets[0].getsockname()[1]
    timeout = aiohttp.ClientTimeout(total=2.0)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        looking = asyncio.create_task(balancer.look(session))
        try:
            yield balancer
        finally:
            looking.cancel()
            server.close()
            await asyncio.gather(looking, return_exceptions=True)


@asynccontextmanager
async def open_balanced_hub(federation: Federation) -> AsyncIterator[Hub]:
    """The hub by all of its gateways, as those see it who do not know how many there are."""
    targets = {
        port: f"http://127.0.0.1:{federation.probes_port(name)}/readyz"
        for name, port in federation.gateways.items()
    }
    access = read_kubeconfig(federation.kubeconfig)
    async with open_balancer(targets) as balancer:
        server = f"https://127.0.0.1:{balancer.port}"
        async with open_hub(msgspec.structs.replace(access, server=server)) as api:
            yield Hub(api)
