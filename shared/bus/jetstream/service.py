"""A NATS micro service: requests answered side by side, and the discovery its tools expect.

Source: NATS ADR-32 (service API). The client's own implementation answers one request per endpoint
at a time and tells callers the text of unforeseen errors.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
import nats.errors
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from shared.bus.endpoints import answer
from shared.bus.port import Handler, RequestError
from shared.clock import SystemClock

log = structlog.get_logger("hanse.bus")

ERROR = "Nats-Service-Error"
ERROR_CODE = "Nats-Service-Error-Code"
QUEUE_GROUP = "q"
RUNNING_MAX = 256
_LEAVE_SECONDS = 2.0
# Half a second, which the client waits by itself, may pass on a busy machine.
_START_SECONDS = 10.0
_TYPE = "io.nats.micro.v1"


@dataclass(slots=True)
class _Endpoint:
    name: str
    subject: str
    handler: Handler
    requests: int = 0
    errors: int = 0
    nanoseconds: int = 0
    last_error: str = ""

    def info(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "subject": self.subject,
            "queue_group": QUEUE_GROUP,
            "metadata": {},
        }

    def stats(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "subject": self.subject,
            "queue_group": QUEUE_GROUP,
            "num_requests": self.requests,
            "num_errors": self.errors,
            "last_error": self.last_error,
            "processing_time": self.nanoseconds,
            "average_processing_time": self.nanoseconds // max(1, self.requests),
        }


class MicroService:
    """One instance of a service on *client*."""

    def __init__(
        self, client: Client, name: str, version: str, endpoints: Mapping[str, Handler]
    ) -> None:
        self._client = client
        self._identity = {
            "name": name,
            "id": client.new_inbox().rsplit(".", 1)[1],
            "version": version,
            "metadata": {},
        }
        self._started = SystemClock().now().isoformat().replace("+00:00", "Z")
        self._endpoints = [
            _Endpoint(subject.replace(".", "-"), subject, handler)
            for subject, handler in endpoints.items()
        ]
        self._running: set[asyncio.Task[None]] = set()
        self._subscriptions: list[Subscription] = []

    async def start(self) -> None:
        for endpoint in self._endpoints:
            await self._serve(endpoint)
        answers = {
            "PING": lambda: {**self._identity, "type": f"{_TYPE}.ping_response"},
            "INFO": lambda: {
                **self._identity,
                "type": f"{_TYPE}.info_response",
                "description": "",
                "endpoints": [endpoint.info() for endpoint in self._endpoints],
            },
            "STATS": lambda: {
                **self._identity,
                "type": f"{_TYPE}.stats_response",
                "started": self._started,
                "endpoints": [endpoint.stats() for endpoint in self._endpoints],
            },
        }
        for verb, tell in answers.items():

            async def discover(message: Msg, tell: Any = tell) -> None:
                await self._respond(message, msgspec.json.encode(tell()))

            name = self._identity["name"]
            for subject in (verb, f"{verb}.{name}", f"{verb}.{name}.{self._identity['id']}"):
                found = await self._client.subscribe(f"$SRV.{subject}", cb=discover)
                self._subscriptions.append(found)
        # Known to the server when this returns: a request sent now finds the service. Not
        # flush(): its ping overtakes the subscriptions that are still buffered.
        ping = f"$SRV.PING.{self._identity['name']}.{self._identity['id']}"
        try:
            await self._client.request(ping, timeout=_START_SECONDS)
        except nats.errors.TimeoutError:
            # The server has much to do: it hears of us before whatever is asked of it later.
            log.warning("service.unconfirmed", service=self._identity["name"])
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            # The client waits with wait_for, which before 3.12 may swallow a cancellation.
            raise asyncio.CancelledError

    async def stop(self) -> None:
        """Take no more requests; let those under way finish within a limit."""
        for subscription in self._subscriptions:
            if not self._client.is_closed:
                await subscription.unsubscribe()
        if self._running:
            await asyncio.wait(self._running, timeout=_LEAVE_SECONDS)
        for task in tuple(self._running):
            task.cancel()

    async def _serve(self, endpoint: _Endpoint) -> None:
        async def receive(message: Msg) -> None:
            if len(self._running) >= RUNNING_MAX:
                await self._refuse(message, RequestError(503, "too many requests under way"))
                return
            task = asyncio.create_task(self._answer(endpoint, message))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

        found = await self._client.subscribe(endpoint.subject, queue=QUEUE_GROUP, cb=receive)
        self._subscriptions.append(found)

    async def _answer(self, endpoint: _Endpoint, message: Msg) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        endpoint.requests += 1
        try:
            body = await answer(
                endpoint.subject, endpoint.handler, message.data, message.headers or {}
            )
            await self._respond(message, body)
        except RequestError as err:
            endpoint.errors += 1
            endpoint.last_error = f"{err.code}:{err}"
            await self._refuse(message, err)
        finally:
            endpoint.nanoseconds += int((loop.time() - began) * 1e9)

    async def _refuse(self, message: Msg, error: RequestError) -> None:
        headers = {ERROR: str(error) or "error", ERROR_CODE: str(error.code)}
        await self._respond(message, error.body, headers)

    async def _respond(
        self, message: Msg, body: bytes, headers: dict[str, str] | None = None
    ) -> None:
        if not message.reply:
            return
        try:
            await self._client.publish(message.reply, body, headers=headers)
        except nats.errors.MaxPayloadError:
            await self._refuse(message, RequestError(500, "the answer is too big for the bus"))
        except nats.errors.Error as err:
            log.warning("request.unanswered", subject=message.subject, error=str(err))


@asynccontextmanager
async def serve(
    client: Client, name: str, version: str, endpoints: Mapping[str, Handler]
) -> AsyncIterator[None]:
    service = MicroService(client, name, version, endpoints)
    try:
        await service.start()
        yield
    finally:
        with contextlib.suppress(nats.errors.Error):
            await service.stop()
