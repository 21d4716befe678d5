"""Plays one case against one API server, and says in words where the server did otherwise."""

import asyncio
import io
import json
import re
import secrets
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
import msgspec
import yaml

from tests.conformance.matching import Contains, mismatches
from tests.conformance.script import VERBS, Case, Step

EVENTUALLY_SECONDS = 30.0
EVENT_SECONDS = 10.0
_SAVED = re.compile(r"<([a-z]\w*)>")


class Failed(AssertionError):
    """The server does not do as the case says."""


@dataclass(frozen=True, slots=True)
class Target:
    """An API server to play against, and an administrator's token."""

    url: str
    token: str
    tls: ssl.SSLContext | None = None
    has_controllers: bool = True


@dataclass(frozen=True, slots=True)
class Answer:
    code: int
    headers: Mapping[str, str]
    warnings: list[str]
    text: str

    @property
    def body(self) -> Any:
        try:
            return json.loads(self.text)
        except ValueError:
            pass
        try:
            return yaml.safe_load(self.text)
        except yaml.YAMLError:
            return self.text


@dataclass(slots=True)
class _Player:
    target: Target
    session: aiohttp.ClientSession
    stack: AsyncExitStack
    saved: dict[str, Any]
    watches: dict[str, aiohttp.ClientResponse] = field(default_factory=dict)

    async def play(self, step: Step) -> None:
        step = self._filled(step)
        match step.verb:
            case "events":
                await self._events(step)
            case "ends":
                await self._ends(step)
            case "watch":
                await self._watch(step)
            case "define":
                await self._define(step)
            case _ if step.eventually:
                await self._until(step)
            case _:
                await self._request(step)

    def _filled(self, step: Step) -> Step:
        parts = ("path", "query", "headers", "body", "raw", "expect")
        return replace(step, **{part: self._fill(getattr(step, part)) for part in parts})

    def _fill(self, value: Any) -> Any:
        match value:
            case str():
                whole = _SAVED.fullmatch(value)
                if whole is not None and whole[1] in self.saved:
                    return self.saved[whole[1]]
                return _SAVED.sub(lambda at: str(self.saved.get(at[1], at[0])), value)
            case dict():
                return {self._fill(name): self._fill(part) for name, part in value.items()}
            case list():
                return [self._fill(part) for part in value]
            case _ if hasattr(value, "__dataclass_fields__"):
                names = value.__dataclass_fields__
                return type(value)(*(self._fill(getattr(value, name)) for name in names))
            case _:
                return value

    async def _request(self, step: Step) -> Answer:
        answer = await self._send(step)
        problems = list(_compare(step.expect or {}, answer))
        if problems:
            raise Failed("; ".join(problems) + f" -- HTTP {answer.code} {answer.text[:1200]}")
        for name, path in step.save.items():
            header = path.removeprefix("headers.")
            if header != path:
                self.saved[name] = _look_up(answer.headers, header)
            else:
                self.saved[name] = _look_up(answer.body, path)
        return answer

    async def _send(self, step: Step) -> Answer:
        async with self._open(step) as response:
            text = await response.text(errors="replace")
            return Answer(
                response.status,
                {name.lower(): value for name, value in response.headers.items()},
                response.headers.getall("Warning", []),
                text,
            )

    def _open(self, step: Step) -> Any:
        headers = {"Accept": "application/json", **step.headers}
        data = _encode(step)
        if data is not None:
            headers["Content-Type"] = step.media_type
        return self.session.request(
            VERBS[step.verb][0],
            self.target.url + step.path,
            params={name: _parameter(value) for name, value in step.query.items()},
            headers=headers,
            data=None if data is None else io.BytesIO(data),
        )

    async def _until(self, step: Step) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + EVENTUALLY_SECONDS
        while True:
            try:
                await self._request(step)
            except Failed:
                if loop.time() > deadline:
                    raise
                await asyncio.sleep(0.05)
            else:
                return

    async def _define(self, step: Step) -> None:
        """Create a definition and wait until what it defines is served, in every version."""
        await self._request(step if step.expect else replace(step, expect={"code": 201}))
        name, spec = step.body["metadata"]["name"], step.body["spec"]
        established = {"type": "Established", "status": "True"}
        at = replace(step, verb="get", path=f"{step.path}/{name}", body=None, save={})
        condition = {"status": {"conditions": Contains([established])}}
        await self._until(replace(at, expect={"code": 200, "body": condition}))
        for version in spec["versions"]:
            if version.get("served"):
                plural = f"/apis/{spec['group']}/{version['name']}/{spec['names']['plural']}"
                await self._until(replace(at, path=plural, expect={"code": 200}))

    async def _watch(self, step: Step) -> None:
        query = {"timeoutSeconds": 20, **step.query, "watch": "true"}
        response = await self.stack.enter_async_context(self._open(replace(step, query=query)))
        wanted = (step.expect or {}).get("code", 200)
        if response.status != wanted:
            raise Failed(f"the watch is answered {response.status}: {await response.text()}")
        self.watches[step.watch] = response

    async def _events(self, step: Step) -> None:
        lines = self.watches[step.path].content
        for position, expected in enumerate(step.expect):
            bookmark = expected.get("type") == "BOOKMARK"
            event = await _next_event(lines, bookmark=bookmark)
            if problems := list(mismatches(expected, event, f"event {position}")):
                raise Failed("; ".join(problems))
            for name, path in step.save.items():
                self.saved[name] = _look_up(event, path)

    async def _ends(self, step: Step) -> None:
        event = await _next_event(self.watches[step.path].content, bookmark=False)
        if event is not None:
            raise Failed(f"the watch goes on with {event}")


async def _next_event(lines: aiohttp.StreamReader, *, bookmark: bool) -> Any:
    """Return the next event, bookmarks only where one is expected; None at the end."""
    try:
        async with asyncio.timeout(EVENT_SECONDS):
            while line := await lines.readline():
                event = json.loads(line)
                if bookmark or event["type"] != "BOOKMARK":
                    return event
    except TimeoutError as err:
        raise Failed(f"no event within {EVENT_SECONDS} s") from err
    return None


def _compare(expect: Mapping[str, Any], answer: Answer) -> list[str]:
    problems = []
    found = {
        "code": answer.code,
        "headers": answer.headers,
        "warnings": answer.warnings,
        "text": answer.text,
    }
    for part, wanted in expect.items():
        value = answer.body if part == "body" else found[part]
        problems += mismatches(wanted, value, part)
    return problems


def _encode(step: Step) -> bytes | None:
    if step.raw is not None:
        return step.raw.encode()
    return None if step.body is None else msgspec.json.encode(step.body)


def _parameter(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _look_up(body: Any, path: str) -> Any:
    for part in path.split("."):
        try:
            body = body[int(part)] if isinstance(body, list) else body[part]
        except (KeyError, IndexError, TypeError) as err:
            raise Failed(f"nothing at {path} to save: {body}") from err
    return body


@asynccontextmanager
async def _namespace(session: aiohttp.ClientSession, target: Target) -> AsyncIterator[str]:
    name = f"case-{secrets.token_hex(5)}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    async with session.post(f"{target.url}/api/v1/namespaces", json=body) as response:
        assert response.status == 201, await response.text()
    try:
        yield name
    finally:
        async with session.delete(f"{target.url}/api/v1/namespaces/{name}"):
            pass


async def play(case: Case, target: Target) -> None:
    """Raise `Failed`, naming the step, where *target* does otherwise."""
    connector = aiohttp.TCPConnector(ssl=target.tls or False)
    async with (
        aiohttp.ClientSession(
            connector=connector,
            headers={"Authorization": f"Bearer {target.token}"},
            timeout=aiohttp.ClientTimeout(total=60),
            trust_env=False,
        ) as session,
        _namespace(session, target) as namespace,
        AsyncExitStack() as stack,
    ):
        letters = "".join(secrets.choice("bcdfghjklmnpqrstvwxz") for _ in range(8))
        player = _Player(target, session, stack, {"ns": namespace, "id": letters})
        for number, step in enumerate(case.steps, start=1):
            try:
                await player.play(step)
            except Failed as err:
                raise Failed(f"step {number}, {step.verb} {step.path}: {err}") from err
