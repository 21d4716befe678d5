"""The connections to one member: made when they are needed, kept while they are used."""

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from shared.memberapi.channel import Answer, Channel

KEPT_SECONDS = 60.0
# What may be sent once more where the server closed an idle connection meanwhile (RFC 9110 9.2.2).
_REPEATABLE = ("GET", "PUT", "DELETE")


class Untrusted(ConnectionError):
    """TLS could not be agreed on; `cause` says why."""

    def __init__(self, cause: ssl.SSLError) -> None:
        super().__init__(str(cause))
        self.cause = cause


class Unreached(OSError):
    """No connection came about; `place` is host and port."""

    def __init__(self, place: str, cause: OSError) -> None:
        super().__init__(cause.errno, str(cause))
        self.place = place


class Unresolved(OSError):
    """The name of the host leads nowhere."""

    def __init__(self, host: str) -> None:
        super().__init__(f"the name {host} does not resolve")


@dataclass(frozen=True, slots=True)
class Site:
    """Where a server is, and by what it is trusted; `context` is None for plain HTTP."""

    host: str
    port: int
    context: ssl.SSLContext | None
    server_name: str = ""
    """Its name in TLS, where that is not `host`."""
    connect_seconds: float = 5.0
    """How long a connection to one of its addresses may take."""


class Channels:
    """At most *limit* calls at the same time; the rest wait in turn. Streams do not count."""

    def __init__(self, site: Site, limit: int) -> None:
        self._site = site
        self._turns = asyncio.Semaphore(limit)
        # The one used last is at the end, and the first to be used again.
        self._idle: deque[Channel] = deque()
        self._open: set[Channel] = set()
        self._reaper: asyncio.TimerHandle | None = None

    async def ask(self, method: str, head: bytes, body: bytes | None, *, limit: int) -> Answer:
        """One call; raises what `connect` and `Channel.ask` raise."""
        async with self._turns:
            channel = self._take_idle()
            if channel is not None:
                try:
                    return await self._ask(channel, head, body, limit)
                except ConnectionError:
                    if method not in _REPEATABLE or channel.touched:
                        raise
            return await self._ask(await self._connect(), head, body, limit)

    @asynccontextmanager
    async def listen(
        self, head: bytes, *, silence_max: float
    ) -> AsyncIterator[tuple[Answer, Channel]]:
        """A stream on a connection of its own; raises what `connect` and `Channel.listen` raise."""
        channel = await self._connect()
        try:
            yield await channel.listen(head, silence_max=silence_max), channel
        finally:
            channel.abort()
            self._open.discard(channel)

    def close(self) -> None:
        """Nothing is under way any more, or shall be."""
        if self._reaper is not None:
            self._reaper.cancel()
        for channel in self._open:
            channel.abort()
        self._open.clear()
        self._idle.clear()

    async def _ask(self, channel: Channel, head: bytes, body: bytes | None, limit: int) -> Answer:
        try:
            answer = await channel.ask(head, body, limit=limit)
        finally:
            self._put_back(channel)
        return answer

    def _take_idle(self) -> Channel | None:
        while self._idle:
            channel = self._idle.pop()
            if not channel.closed:
                return channel
            self._open.discard(channel)
        return None

    def _put_back(self, channel: Channel) -> None:
        if channel.closed:
            channel.abort()
            self._open.discard(channel)
            return
        loop = asyncio.get_running_loop()
        channel.idle_since = loop.time()
        self._idle.append(channel)
        if self._reaper is None:
            self._reaper = loop.call_later(KEPT_SECONDS, self._reap)

    def _reap(self) -> None:
        loop = asyncio.get_running_loop()
        self._reaper = None
        while self._idle:
            oldest = self._idle[0]
            due = oldest.idle_since + KEPT_SECONDS
            if not oldest.closed and due > loop.time():
                self._reaper = loop.call_at(due, self._reap)
                return
            self._idle.popleft()
            self._open.discard(oldest)
            oldest.abort()

    async def _connect(self) -> Channel:
        """Raises `Unresolved`, `Unreached`, `Untrusted`, TimeoutError."""
        site, loop = self._site, asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(site.host, site.port, type=socket.SOCK_STREAM)
        except socket.gaierror as err:
            raise Unresolved(site.host) from err
        addresses = list(dict.fromkeys(each[4][0] for each in found))
        for index, address in enumerate(addresses):
            try:
                return await self._connect_to(str(address))
            except (Unreached, TimeoutError):
                if index == len(addresses) - 1:
                    raise
        raise Unresolved(site.host)

    async def _connect_to(self, address: str) -> Channel:
        site, loop = self._site, asyncio.get_running_loop()
        try:
            async with asyncio.timeout(site.connect_seconds):
                # The loop makes the socket itself: uvloop (0.23) closes the descriptor of one that
                # it was handed and that is reset in this moment, and the socket closes it again,
                # when it may be another connection's.
                _, channel = await loop.create_connection(
                    Channel,
                    address,
                    site.port,
                    ssl=site.context,
                    server_hostname=(site.server_name or site.host) if site.context else None,
                )
        except ssl.SSLError as err:
            raise Untrusted(err) from err
        except TimeoutError:
            raise
        except OSError as err:
            raise Unreached(f"{site.host}:{site.port}", err) from err
        self._open.add(channel)
        return channel
