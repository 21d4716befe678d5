"""Many requests in flight over one connection, each answered, refused or given up in time.

One reply inbox for all of them. A window by count and by bytes holds writers back before the
server's ingest queue or this process's memory is full. What is in flight when the connection is
lost, or longer than the deadline, fails as `Unanswered`: it may have happened.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import nats.errors
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from shared.bus.jetstream.quick_client import QuickClient
from shared.bus.topology import MEBIBYTE, MESSAGE_BYTES_MAX
from shared.errors import InvalidObject, StoreUnavailable

IN_FLIGHT_MAX = 1000
IN_FLIGHT_BYTES_MAX = 32 * MEBIBYTE
STATUS = "Status"
DESCRIPTION = "Description"
_NO_HEADERS: dict[str, str] = {}


class Unanswered(Exception):
    """The request was sent; no answer came."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back; `status` is 200 where the server said nothing else."""

    body: bytes
    headers: Mapping[str, str]

    @property
    def status(self) -> int:
        return int(self.headers.get(STATUS, "200"))


@dataclass(slots=True)
class _Flight:
    future: asyncio.Future[Reply]
    size: int
    sent_at: float


class Pipe:
    """Requests over *client* with a bounded window."""

    def __init__(self, client: QuickClient, deadline: timedelta) -> None:
        self._client = client
        self._deadline = deadline.total_seconds()
        self._prefix = client.new_inbox() + "."
        self._flights: dict[str, _Flight] = {}
        self._count = 0
        self._bytes = 0
        self._waiting: deque[tuple[asyncio.Future[None], int]] = deque()
        self._tickets = 0
        self._sweep: asyncio.TimerHandle | None = None
        self._subscription: Subscription | None = None

    async def start(self) -> None:
        self._subscription = await self._client.subscribe_directly(
            self._prefix + "*", self._on_reply
        )

    async def stop(self) -> None:
        self.fail_all("the connection is closing")
        if self._sweep is not None:
            self._sweep.cancel()
        if self._subscription is not None and not self._client.is_closed:
            await self._subscription.unsubscribe()

    async def request(
        self, subject: str, body: bytes, headers: dict[str, str] | None = None
    ) -> Reply:
        """Raise `StoreUnavailable` before anything was sent, `Unanswered` after."""
        if len(body) > MESSAGE_BYTES_MAX - MEBIBYTE // 4:
            raise InvalidObject(f"a message of {len(body)} bytes is too big for the bus")
        await self._take(len(body))
        if not self._client.is_connected:
            self._give(len(body))
            raise StoreUnavailable("not connected to NATS")
        loop = asyncio.get_running_loop()
        self._tickets += 1
        token = str(self._tickets)
        flight = _Flight(loop.create_future(), len(body), loop.time())
        self._flights[token] = flight
        if self._sweep is None:
            self._sweep = loop.call_later(self._deadline, self._give_up)
        try:
            await self._client.publish(subject, body, reply=self._prefix + token, headers=headers)
        except nats.errors.Error as err:
            self._land(token)
            raise StoreUnavailable(f"NATS did not take the message: {err}") from err
        return await flight.future

    def fail_all(self, why: str) -> None:
        """Give up what is in flight."""
        for token in list(self._flights):
            self._fail(token, why)

    def _on_reply(self, message: Msg) -> None:
        flight = self._land(message.subject[len(self._prefix) :])
        if flight is not None and not flight.future.done():
            flight.future.set_result(Reply(message.data, message.headers or _NO_HEADERS))

    def _land(self, token: str) -> _Flight | None:
        flight = self._flights.pop(token, None)
        if flight is not None:
            self._give(flight.size)
        return flight

    def _fail(self, token: str, why: str) -> None:
        flight = self._land(token)
        if flight is not None and not flight.future.done():
            flight.future.set_exception(Unanswered(why))

    def _give_up(self) -> None:
        # The dict keeps the order of sending: the first that is young ends the search.
        loop = asyncio.get_running_loop()
        self._sweep = None
        for token, flight in list(self._flights.items()):
            due = flight.sent_at + self._deadline
            if due > loop.time():
                self._sweep = loop.call_at(due, self._give_up)
                break
            self._fail(token, f"no answer in {self._deadline:g} s")

    # The window. First come, first served, so that a caller's order is kept.

    async def _take(self, size: int) -> None:
        if not self._waiting and self._fits(size):
            self._count += 1
            self._bytes += size
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((turn, size))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give(size)
            raise

    def _fits(self, size: int) -> bool:
        if self._count == 0:
            return True
        return self._count < IN_FLIGHT_MAX and self._bytes + size <= IN_FLIGHT_BYTES_MAX

    def _give(self, size: int) -> None:
        self._count -= 1
        self._bytes -= size
        while self._waiting and self._fits(self._waiting[0][1]):
            turn, wanted = self._waiting.popleft()
            if not turn.done():
                self._count += 1
                self._bytes += wanted
                turn.set_result(None)
