"""A small federation for tests: a hub in memory, members that serve the Kubernetes API over HTTP.

The scheduler's part is played by the test, which writes bindings itself.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from aiohttp import web

from services.propagator.apply.members import MemberWorkers
from services.propagator.apply.retries import RetrySettings
from services.propagator.apply.worker import WorkerSettings
from services.propagator.dispatch.dispatcher import Dispatcher
from shared.api.binding import binding_key
from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.apiserver.assembly import assemble
from shared.apiserver.authentication import TokenTable, User
from shared.apiserver.builtin import builtin_kinds
from shared.apiserver.registry import Registry
from shared.apiserver.server import ServerSettings
from shared.bus.jetstream import connect, ensure_topology, open_bus
from shared.bus.memory import MemoryBus
from shared.bus.port import Bus, CaughtUp
from shared.bus.topology import EVENTS, STATUS, STREAMS, WORK
from shared.clock import SystemClock
from shared.controller.loop import LoopSettings
from shared.errors import StaleRevision
from shared.events import subjects
from shared.events.work import WorkOrder, WorkReport, decode_order, decode_report, is_end
from shared.memberapi.credentials import MemberCredentials
from shared.memberapi.http import open_member
from shared.memberapi.sealing import EnvelopeKey, seal
from shared.runtime.nats_server import NatsServer
from shared.store.jetstream import open_store
from shared.store.memory import MemoryStore
from shared.store.port import ObjectStore

TOKEN = "member-token-for-tests"
RETRIES = RetrySettings()
SOON = RetrySettings(
    silent_max=timedelta(seconds=1),
    soon=timedelta(milliseconds=10),
    slow=timedelta(milliseconds=200),
    held=timedelta(milliseconds=100),
)
"""For tests of what follows when a member is asked again, whenever that is."""
SEALING = EnvelopeKey(b"k" * 32)
ADMIN = User("admin", "admin", ("system:masters", "system:authenticated"))


async def eventually(holds: Callable[[], Any | Awaitable[Any]], seconds: float = 15.0) -> Any:
    """Wait until *holds* gives something true; return that."""
    async with asyncio.timeout(seconds):
        while True:
            found = holds()
            if isinstance(found, Awaitable):
                found = await found
            if found:
                return found
            await asyncio.sleep(0.005)


class TestMember:
    """A member's API server; `requests` are those of the workers."""

    __test__ = False

    def __init__(self, name: str) -> None:
        self.name = name
        self.store = MemoryStore()
        self.requests: list[tuple[str, str]] = []
        self.hangs = False
        self.fails_at = ""
        """Requests of workers are answered 503 where their path has this."""
        self.patience = 0
        """Seconds of patience that every request is asked for; 0 serves them."""
        self.shows_nothing = False
        """Lists are empty, as those of a server that has just started may be."""
        self.answers_after: Callable[[str, str], Awaitable[None]] | None = None
        """Awaited with method and path once a worker's request is carried out."""
        self.url = ""

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[None]:
        api = assemble(
            self.store, Registry(builtin_kinds()), TokenTable({TOKEN: ADMIN}), ServerSettings()
        )
        api.server.app.middlewares.append(self._record())
        async with api.listen() as listening, asyncio.TaskGroup() as group:
            self.url = listening.url
            tasks = [group.create_task(task()) for task in api.tasks.values()]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()

    def _record(self) -> Any:
        @web.middleware
        async def middleware(
            request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
        ) -> web.StreamResponse:
            if request.headers.get("User-Agent") == "hanse":
                self.requests.append((request.method, request.path))
                if self.hangs:
                    raise web.HTTPBadGateway
                if self.fails_at and self.fails_at in request.path:
                    raise web.HTTPServiceUnavailable
                if self.patience:
                    raise web.HTTPTooManyRequests(headers={"Retry-After": str(self.patience)})
                if self.shows_nothing and _is_list(request):
                    # Of a version that is later than all that is known.
                    return web.json_response({"metadata": {"resourceVersion": "999999"}})
                if self.answers_after is not None:
                    answer = await handler(request)
                    await self.answers_after(request.method, request.path)
                    return answer
            return await handler(request)

        return middleware

    def credentials(self) -> MemberCredentials:
        return MemberCredentials(server=self.url, token=TOKEN)

    def get(self, resource: str, name: str, namespace: str = "shop", group: str = "") -> Manifest:
        """The object; an empty manifest where there is none."""
        stored = self.store.mirror.get(ObjectKey(group, resource, namespace, name))
        return stored.manifest if stored is not None else {}

    def written(self, verb: str = "PATCH") -> list[str]:
        return [path for method, path in self.requests if method == verb]


def _is_list(request: web.Request) -> bool:
    return "labelSelector" in request.query and "watch" not in request.query


class Federation:
    """The hub's store and bus, and its members."""

    def __init__(
        self, names: Sequence[str], store: ObjectStore | None = None, bus: Bus | None = None
    ) -> None:
        self.store: ObjectStore = store if store is not None else MemoryStore()
        self.bus: Bus = bus if bus is not None else MemoryBus()
        self.members = {name: TestMember(name) for name in names}

    @asynccontextmanager
    async def dispatching(self) -> AsyncIterator[Dispatcher]:
        settings = LoopSettings(workers=4, fail_fast=True)
        dispatcher = Dispatcher(self.store, self.bus, SystemClock(), settings)
        tasks = [
            dispatcher.log.run,
            dispatcher.run,
            dispatcher.run_status,
            dispatcher.run_facts,
            dispatcher.run_confirmations,
            dispatcher.view.run_requests,
        ]
        async with running(*tasks):
            yield dispatcher

    @asynccontextmanager
    async def applying(
        self,
        resync: timedelta = timedelta(minutes=5),
        foreign_view: timedelta = timedelta(0),
        retries: RetrySettings = RETRIES,
    ) -> AsyncIterator[MemberWorkers]:
        workers = MemberWorkers(
            store=self.store,
            bus=self.bus,
            clock=SystemClock(),
            key=SEALING,
            open_member=lambda credentials, name: open_member(credentials, name=name),
            settings=WorkerSettings(
                report_interval=timedelta(milliseconds=5),
                foreign_view=foreign_view,
                resync=resync,
                retries=retries,
            ),
        )
        async with running(workers.run):
            yield workers

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serve and register every member."""
        async with AsyncExitStack() as stack:
            for member in self.members.values():
                await stack.enter_async_context(member.serve())
                await self.register(member)
            yield

    async def register(self, member: TestMember) -> None:
        sealed = seal(SEALING, member.name, member.credentials())
        await self.bus.board("SECRETS").put(subjects.member_key(member.name), sealed)
        await self.write(
            ObjectKey("hanse.dev", "clusters", "", member.name),
            {
                "apiVersion": "hanse.dev/v1alpha1",
                "kind": "Cluster",
                "metadata": {
                    "name": member.name,
                    "uid": f"membership-{member.name}",
                    "labels": {"name": member.name},
                },
                "spec": {"region": member.name},
            },
        )

    async def write(self, key: ObjectKey, manifest: Manifest) -> None:
        stored = await self.store.get(key)
        if stored is None:
            await self.store.create(key, manifest)
        else:
            await self.store.update(key, manifest, expected=stored.revision)

    async def delete(self, key: ObjectKey) -> None:
        while True:
            stored = await self.store.get(key)
            assert stored is not None
            try:
                await self.store.delete(key, stored.manifest, expected=stored.revision)
            except StaleRevision:
                # Somebody wrote its status meanwhile.
                continue
            return

    async def bind(self, key: ObjectKey, clusters: dict[str, int | None], **spec: Any) -> ObjectKey:
        """Play the scheduler: bind the template as it is now; returns the binding's key."""
        stored = await self.store.get(key)
        assert stored is not None
        template = stored.manifest
        metadata = template["metadata"]
        at = binding_key(key, template["kind"], built_in=True)
        kind = "ResourceBinding" if key.namespace else "ClusterResourceBinding"
        resource = {
            "apiVersion": template["apiVersion"],
            "kind": template["kind"],
            "resource": key.resource,
            "namespace": key.namespace,
            "name": key.name,
            "uid": metadata["uid"],
            "generation": metadata.get("generation", 0),
        }
        binding: Manifest = {
            "apiVersion": "hanse.dev/v1alpha1",
            "kind": kind,
            "metadata": {
                "name": at.name,
                "namespace": key.namespace,
                "ownerReferences": [{"name": key.name, "uid": metadata["uid"]}],
            },
            "spec": {
                "resource": resource,
                "policy": {"kind": "PropagationPolicy", "name": "p"},
                "clusters": [
                    {"name": name} if share is None else {"name": name, "replicas": share}
                    for name, share in clusters.items()
                ],
                **spec,
            },
        }
        await self.write(at, binding)
        return at

    async def order(self, cluster: str, key: ObjectKey) -> WorkOrder | None:
        message = await self.bus.last(WORK, subjects.work(cluster, key))
        if message is None or is_end(message.headers):
            return None
        return decode_order(message.body)

    async def report(self, cluster: str, key: ObjectKey) -> WorkReport | None:
        """What STATUS says of it; None for nothing, or that it is over."""
        message = await self.bus.last(STATUS, subjects.status(cluster, key))
        found = decode_report(message.body) if message is not None and message.body else None
        return None if found is None or found.is_removed else found

    async def facts(self, noun: str, past_tense: str) -> list[bytes]:
        """Bodies of the facts of one type, the last of each key."""
        found = []
        async with self.bus.follow(EVENTS, [f"{subjects.EVENTS}.{noun}.{past_tense}.>"]) as events:
            async for event in events:
                if not hasattr(event, "body"):
                    return found
                found.append(event.body)
        return found

    async def stored_works(self) -> int:
        """How many works WORK and STATUS together speak of, but for saying that they are over."""
        count = 0
        for stream, prefix in ((WORK, subjects.WORK), (STATUS, subjects.STATUS)):
            async with self.bus.follow(stream, [f"{prefix}.>"]) as messages:
                async for message in messages:
                    if isinstance(message, CaughtUp):
                        break
                    if stream is WORK:
                        over = is_end(message.headers)
                    else:
                        over = not message.body or decode_report(message.body).is_removed
                    count += not over
        return count


@asynccontextmanager
async def on_jetstream(
    folder: Path, names: Sequence[str], *, applying: bool = True
) -> AsyncIterator[Federation]:
    """A federation of members *names* at work, its store and bus on a nats-server of its own.

    Without *applying* nobody works for the members yet.
    """
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(NatsServer(folder / "nats"))
        connection = await stack.enter_async_context(connect(server.settings, "test"))
        await ensure_topology(connection, STREAMS)
        store = await stack.enter_async_context(open_store(connection))
        found = Federation(names, store, open_bus(connection, "propagator"))
        await stack.enter_async_context(found.serving())
        await stack.enter_async_context(found.dispatching())
        if applying:
            await stack.enter_async_context(found.applying())
        yield found


def config_map(
    name: str, value: str = "1", *, uid: str = "", generation: int = 1, namespace: str = "shop"
) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": uid or f"uid-{name}",
            "generation": generation,
        },
        "data": {"a": value},
    }


def deployment(name: str, replicas: int, *, generation: int = 1) -> Manifest:
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": f"uid-{name}",
            "generation": generation,
        },
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "c", "image": "registry.example/c:1"}]},
            },
        },
    }


def config_map_key(name: str, namespace: str = "shop") -> ObjectKey:
    return ObjectKey("", "configmaps", namespace, name)


def deployment_key(name: str) -> ObjectKey:
    return ObjectKey("apps", "deployments", "shop", name)


@asynccontextmanager
async def running(*tasks: Callable[[], Any]) -> AsyncIterator[None]:
    """Run *tasks*; the first that fails fails the test."""
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(task()) for task in tasks]
        try:
            yield
        finally:
            for task in running:
                task.cancel()
