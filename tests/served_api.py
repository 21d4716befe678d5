"""An API server over any store on real HTTP, and a client that sends what kubectl sends."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from shared.apimachinery.manifest import Manifest
from shared.apiserver.assembly import Api, Extensions, assemble
from shared.apiserver.authentication import TokenTable, User
from shared.apiserver.builtin import builtin_kinds
from shared.apiserver.hanse_kinds import hanse_kinds
from shared.apiserver.registry import Registry
from shared.apiserver.requests.limits import ServerLimits
from shared.apiserver.server import ServerSettings
from shared.store.memory import MemoryStore
from shared.store.port import ObjectStore

TOKEN = "a-token-for-tests-only"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"


@dataclass(frozen=True)
class Answer:
    code: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def metadata(self) -> Manifest:
        found: Manifest = self.body["metadata"]
        return found


class Client:
    """One user's requests."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str) -> None:
        self._session = session
        self.url = url
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = "application/json",
        accept: str = "application/json",
        **query: str,
    ) -> Answer:
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        headers = {**self._headers, "Accept": accept}
        if data is not None:
            headers["Content-Type"] = content_type
        payload = io.BytesIO(data) if data is not None else None
        async with self._session.request(
            method, self.url + path, data=payload, headers=headers, params=query
        ) as response:
            text = await response.read()
            try:
                parsed = json.loads(text)
            except ValueError:
                parsed = text.decode()
            warnings = tuple(response.headers.getall("Warning", []))
            return Answer(response.status, parsed, dict(response.headers), warnings)

    def open(self, method: str, path: str, headers: Mapping[str, str]) -> Any:
        """A request whose answer is read by the caller."""
        return self._session.request(method, self.url + path, headers={**self._headers, **headers})

    async def get(self, path: str, *, accept: str = "application/json", **query: str) -> Answer:
        return await self.send("GET", path, accept=accept, **query)

    async def post(self, path: str, body: Any, **query: str) -> Answer:
        return await self.send("POST", path, body, **query)

    async def put(self, path: str, body: Any, **query: str) -> Answer:
        return await self.send("PUT", path, body, **query)

    async def patch(self, path: str, body: Any, content_type: str = MERGE, **query: str) -> Answer:
        return await self.send("PATCH", path, body, content_type=content_type, **query)

    async def apply(self, path: str, body: Any, manager: str = "tester", **query: str) -> Answer:
        return await self.send(
            "PATCH", path, body, content_type=APPLY, fieldManager=manager, **query
        )

    async def delete(self, path: str, body: Any = None, **query: str) -> Answer:
        return await self.send("DELETE", path, body, **query)

    @asynccontextmanager
    async def watch(
        self, path: str, *, accept: str = "application/json", **query: str
    ) -> AsyncIterator["WatchLines"]:
        params = {"watch": "true", **query}
        headers = {**self._headers, "Accept": accept}
        async with self._session.get(self.url + path, params=params, headers=headers) as response:
            yield WatchLines(response)


class WatchLines:
    """The events of one watch, read one at a time with a deadline."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response

    async def next(self) -> Any:
        """Return the next event; None when the server ended the watch."""
        async with asyncio.timeout(20):
            line = await self.response.content.readline()
        return json.loads(line) if line else None

    async def take(self, count: int) -> list[Any]:
        return [await self.next() for _ in range(count)]


@dataclass(frozen=True)
class Served:
    api: Api
    client: Client
    anonymous: Client
    store: ObjectStore


@asynccontextmanager
async def served_api(
    store: ObjectStore | None = None,
    *,
    limits: ServerLimits | None = None,
    extensions: Extensions | None = None,
) -> AsyncIterator[Served]:
    """Serve over *store* (memory by default) until left; its background tasks run beside it."""
    store = store or MemoryStore()
    tokens = TokenTable({TOKEN: User("tester", groups=("testers", "system:authenticated"))})
    api = assemble(
        store,
        Registry(builtin_kinds(), hanse_kinds()),
        tokens,
        ServerSettings(limits=limits or ServerLimits(), stop_seconds=1.0),
        extensions=extensions,
    )
    async with (
        api.listen() as listening,
        aiohttp.ClientSession() as session,
        asyncio.TaskGroup() as tasks,
    ):
        running = [tasks.create_task(task()) for task in api.tasks.values()]
        yield Served(
            api, Client(session, listening.url, TOKEN), Client(session, listening.url, ""), store
        )
        for task in running:
            task.cancel()


async def until(holds: Callable[[], Awaitable[bool]], seconds: float = 10.0) -> None:
    """Wait until *holds*, or fail."""
    async with asyncio.timeout(seconds):
        while not await holds():
            await asyncio.sleep(0.01)


def config_map(name: str, namespace: str = "default", **data: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace},
        "data": data,
    }


def deployment(name: str, replicas: int = 2, **metadata: Any) -> Manifest:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default", **metadata},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "main", "image": "example/main:1"}]},
            },
        },
    }


MAPS = "/api/v1/namespaces/default/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
NAMESPACES = "/api/v1/namespaces"
