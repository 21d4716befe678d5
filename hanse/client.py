"""The Python client for other systems: the hub's objects, commands and events over NATS.

    async with connect("nats://127.0.0.1:4222", Path("nats.json")) as hanse:
        await hanse.apply(manifest)
        await hanse.carry_out(hanse.scaling("apps/v1", "Deployment", "web", 5, namespace="shop"))

Two doors: requests are answered now (`get`, `list`, `apply`, `delete`, `render`, `explain`, `plan`,
`traffic`, `report_traffic`); commands are kept
until the hub has carried them out, even if it is away when they are sent (`send`, `carry_out`).
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from shared.apimachinery.manifest import Manifest
from shared.bus import topology
from shared.bus.jetstream import connect as connect_nats
from shared.bus.jetstream import open_bus
from shared.bus.port import Bus, CaughtUp, Message, RequestError
from shared.bus.settings import NatsSettings
from shared.errors import StoreUnavailable
from shared.events import commands, subjects
from shared.events.commands import CommandAnswered, CommandCompleted, CommandRefused
from shared.events.envelope import Envelope
from shared.events.explaining import ExplainRequest, Explanation
from shared.events.planning import Plan, PlanRequest
from shared.events.rendering import Rendering, RenderRequest
from shared.events.requests import (
    API_APPLY,
    API_DELETE,
    API_EXPLAIN,
    API_GET,
    API_LIST,
    API_PLAN,
    API_RENDER,
    API_SCORES,
    API_TRAFFIC,
    API_TRAFFIC_REPORT,
    ApplyRequest,
    DeleteRequest,
    GetRequest,
    ListRequest,
)
from shared.events.score_list import ListScores, ScoreList
from shared.events.scores import PublishScores
from shared.events.traffic import (
    TrafficFeed,
    TrafficReports,
    TrafficReportsTaken,
    TrafficRequest,
    TrafficWord,
)

_encode = msgspec.json.Encoder().encode
_decode_object = msgspec.json.Decoder(dict[str, Any]).decode
_decode_answer = msgspec.json.Decoder(CommandCompleted | CommandRefused).decode

DEADLINE = timedelta(seconds=10)
_EVERY_SCORE = ListScores()


class HubRefused(Exception):
    """The hub said no; `code` and `reason` are those of Kubernetes' `Status`."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happened. `type` is `dev.hanse.` and the name with its version."""

    subject: str
    type: str
    source: str
    id: str
    time: str | None
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Command:
    """A command that can be sent; the same `id` sent twice is carried out once or twice alike."""

    id: str
    type: str
    verb: str
    data: Any


class HanseClient:
    """What another system can do with a federation; made by `connect`."""

    def __init__(self, bus: Bus, source: str) -> None:
        self._bus = bus
        self._source = source

    async def get(
        self, api_version: str, kind: str, name: str, *, namespace: str = ""
    ) -> Manifest | None:
        """Return an object; None if it is not there. Raises `HubRefused`, `StoreUnavailable`."""
        asked = GetRequest(api_version=api_version, kind=kind, namespace=namespace, name=name)
        try:
            return await self._ask(API_GET, asked)
        except HubRefused as err:
            if err.code == 404:
                return None
            raise

    async def list(
        self,
        api_version: str,
        kind: str,
        *,
        namespace: str = "",
        label_selector: str = "",
        page: int = 200,
    ) -> AsyncIterator[Manifest]:
        """Yield objects page by page; without *namespace* those of all namespaces."""
        token = ""
        while True:
            asked = ListRequest(
                api_version=api_version,
                kind=kind,
                namespace=namespace,
                label_selector=label_selector,
                limit=page,
                continue_token=token,
            )
            answer = await self._ask(API_LIST, asked)
            for item in answer["items"]:
                yield item
            token = answer["metadata"].get("continue", "")
            if not token:
                return

    async def apply(self, manifest: Manifest, *, force: bool = False) -> Manifest:
        """Server-side apply under this client's name; returns the object as it is now."""
        asked = ApplyRequest(manifest=manifest, field_manager=self._source, force=force)
        return await self._ask(API_APPLY, asked)

    async def delete(self, api_version: str, kind: str, name: str, *, namespace: str = "") -> bool:
        """Delete an object; False if it is not there."""
        asked = DeleteRequest(api_version=api_version, kind=kind, namespace=namespace, name=name)
        try:
            await self._ask(API_DELETE, asked)
        except HubRefused as err:
            if err.code == 404:
                return False
            raise
        return True

    async def render(self, asked: RenderRequest) -> Rendering:
        """Return what members would hold of a template; nothing is written by asking."""
        answer = await self._ask(API_RENDER, asked)
        return msgspec.convert(answer, Rendering)

    async def explain(self, asked: ExplainRequest) -> Explanation:
        """Return why a template is where it is, now or at an earlier time."""
        answer = await self._ask(API_EXPLAIN, asked)
        return msgspec.convert(answer, Explanation)

    async def plan(self, asked: PlanRequest) -> Plan:
        """Return what would move, and what would have no place; nothing is written by asking."""
        answer = await self._ask(API_PLAN, asked)
        return msgspec.convert(answer, Plan)

    async def scores(self, asked: ListScores = _EVERY_SCORE) -> ScoreList:
        """Return what is said of clusters, and has not expired."""
        return msgspec.convert(await self._ask(API_SCORES, asked), ScoreList)

    async def traffic(self, asked: TrafficRequest) -> TrafficFeed:
        """Return how traffic is shared, and where each cluster takes its share."""
        answer = await self._ask(API_TRAFFIC, asked)
        return msgspec.convert(answer, TrafficFeed)

    async def report_traffic(self, words: Sequence[TrafficWord]) -> int:
        """Say what load balancers counted; returns how much of it was taken."""
        answer = await self._ask(API_TRAFFIC_REPORT, TrafficReports(words=tuple(words)))
        return msgspec.convert(answer, TrafficReportsTaken).taken

    def applying(self, *manifests: Manifest) -> Command:
        """Return the command that makes the hub hold *manifests*."""
        return _command(commands.APPLY, "apply", manifests)

    def deleting(self, api_version: str, kind: str, name: str, *, namespace: str = "") -> Command:
        data = commands.Delete(api_version=api_version, kind=kind, namespace=namespace, name=name)
        return _command(commands.DELETE, "delete", data)

    def scaling(
        self, api_version: str, kind: str, name: str, replicas: int, *, namespace: str = ""
    ) -> Command:
        data = commands.Scale(
            api_version=api_version, kind=kind, namespace=namespace, name=name, replicas=replicas
        )
        return _command(commands.SCALE, "scale", data)

    def scoring(self, name: str, values: Mapping[str, float | None], *, ttl: timedelta) -> Command:
        """Say *name* of clusters for as long as *ttl*, in whole seconds; None takes it back."""
        data = PublishScores(name=name, ttl_seconds=round(ttl.total_seconds()), values=dict(values))
        return _command(commands.SCORE, "score", data)

    async def send(self, command: Command) -> None:
        """Leave *command* with the hub, which carries it out as soon as it can."""
        envelope = Envelope(type=command.type, source=self._source, id=command.id)
        subject = subjects.command(command.verb)
        await self._bus.publish(Message(subject, _encode(command.data), envelope.headers()))

    async def carry_out(
        self, command: Command, *, deadline: timedelta = DEADLINE
    ) -> CommandAnswered:
        """Send *command* and wait for the fact that answers it; raises `HubRefused`."""
        token = command.id
        filters = [
            subjects.fact("command", verb, token) for verb in (commands.COMPLETED, commands.REFUSED)
        ]
        try:
            async with (
                asyncio.timeout(deadline.total_seconds()),
                self._bus.follow(topology.EVENTS, filters) as messages,
            ):
                await self.send(command)
                async for message in messages:
                    if not isinstance(message, CaughtUp):
                        return _answer(_decode_answer(message.body))
        except TimeoutError as err:
            raise StoreUnavailable(f"command {command.id} has not been answered in time") from err
        raise StoreUnavailable("the event stream ended")

    @asynccontextmanager
    async def events(
        self, *patterns: str, history: bool = False
    ) -> AsyncIterator[AsyncIterator[Fact]]:
        """Follow facts from now on; with *history* the last of each subject comes first.

        *patterns* are NATS subjects below `hanse.events`, such as `cluster.*.eu-1`; none is all.
        """
        filters = [f"{subjects.EVENTS}.{pattern}" for pattern in patterns or (">",)]
        async with self._bus.follow(topology.EVENTS, filters) as messages:
            if not history:
                # "From now on" is from here, not from whenever the first fact is asked for.
                while not isinstance(await anext(messages), CaughtUp):
                    continue
            yield _facts(messages)

    async def _ask(self, subject: str, asked: msgspec.Struct) -> Manifest:
        try:
            body = await self._bus.request(subject, _encode(asked), deadline=DEADLINE)
        except RequestError as err:
            raise HubRefused(err.code, _reason(err.body), str(err)) from err
        return _decode_object(body)


async def _facts(messages: AsyncIterator[Message | CaughtUp]) -> AsyncIterator[Fact]:
    async for message in messages:
        if isinstance(message, CaughtUp):
            continue
        envelope = Envelope.read(message.headers)
        yield Fact(
            subject=message.subject,
            type=envelope.type,
            source=envelope.source,
            id=envelope.id,
            time=envelope.time,
            data=_decode_object(message.body),
        )


def _command(event_type: str, verb: str, data: Any) -> Command:
    return Command(id=str(uuid.uuid4()), type=event_type, verb=verb, data=data)


def _answer(answer: CommandAnswered) -> CommandAnswered:
    if isinstance(answer, CommandRefused):
        code = max((each.code for each in answer.results), default=400)
        raise HubRefused(code, answer.reason, answer.message)
    return answer


def _reason(body: bytes) -> str:
    try:
        return str(_decode_object(body).get("reason", ""))
    except msgspec.DecodeError:
        return ""


@asynccontextmanager
async def connect(
    url: str, credentials: Path | None = None, *, source: str = "hanse-client"
) -> AsyncIterator[HanseClient]:
    """Connect to the federation's NATS; *source* names this system in everything it does.

    *credentials*: a file with user and password, as the hub wrote it.
    """
    settings = NatsSettings(url=url, credentials_file=credentials)
    async with connect_nats(settings, source) as connection:
        yield HanseClient(open_bus(connection, source), source)
