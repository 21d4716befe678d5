"""A member as health and registry see it: well, silent or refusing, as a test says."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

from shared.apimachinery.manifest import GroupVersionKind, Manifest, ObjectKey, encode
from shared.bus.jetstream import connect, ensure_topology, open_bus
from shared.bus.memory import MemoryBus
from shared.bus.port import Bus
from shared.bus.topology import STREAMS
from shared.errors import MemberRefused, MemberUnreachable, MemberUntrusted
from shared.events import subjects
from shared.memberapi.credentials import MemberCredentials
from shared.memberapi.port import MemberApi, MemberEvent, MemberListing, ResourceType
from shared.memberapi.sealing import EnvelopeKey, seal
from shared.runtime.nats_server import NatsServer
from shared.store.jetstream import open_store
from shared.store.memory import MemoryStore
from shared.store.port import ObjectStore, Stored

KEY = EnvelopeKey(b"k" * 32)
KINDS = [
    ResourceType(GroupVersionKind("", "v1", "Pod"), "pods", namespaced=True),
    ResourceType(GroupVersionKind("apps", "v1", "Deployment"), "deployments", namespaced=True),
]
NODE: Manifest = {
    "metadata": {"name": "n1"},
    "status": {
        "allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"},
        "conditions": [{"type": "Ready", "status": "True"}],
    },
}


class WatchedMember:
    """The part of `MemberApi` that looking at a member takes."""

    def __init__(self, uid: str = "uid-1", version: str = "v1.31.2") -> None:
        self.uid = uid
        self.version = version
        self.state = "well"
        self.answers_after = 0.0
        self.kinds = list(KINDS)
        self.allowed = True
        self.nodes: tuple[Manifest, ...] = (NODE,)
        self.quotas: tuple[Manifest, ...] = ()
        self._news: set[asyncio.Queue[MemberEvent]] = set()

    def _stand(self) -> None:
        if self.state == "silent":
            raise MemberUnreachable("no answer")
        if self.state == "untrusted":
            raise MemberUntrusted("the certificate is another's")
        if self.state == "refusing":
            raise MemberRefused("Unauthorized", reason="Unauthorized", status=401)

    async def read(self, path: str, *, deadline_seconds: float) -> bytes:
        assert deadline_seconds > 0
        await asyncio.sleep(self.answers_after)
        self._stand()
        return b'{"gitVersion": "%s"}' % self.version.encode() if path == "/version" else b"ok"

    async def get(self, kind: ResourceType, namespace: str, name: str) -> Manifest | None:
        self._stand()
        assert (kind.resource, namespace, name) == ("namespaces", "", "kube-system")
        return {"metadata": {"name": name, "uid": self.uid}}

    async def discover(self) -> list[ResourceType]:
        self._stand()
        return self.kinds

    async def list(self, kind: ResourceType, **_options: str) -> MemberListing:
        self._stand()
        shown = {"nodes": self.nodes, "resourcequotas": self.quotas}
        return MemberListing(shown.get(kind.resource, ()), "1")

    def change(self, event: str, quota: Manifest) -> None:
        """Have those who watch quotas told."""
        for watching in self._news:
            watching.put_nowait(MemberEvent(event, encode(quota)))

    @asynccontextmanager
    async def watch(
        self, kind: ResourceType, **_options: str
    ) -> AsyncIterator[AsyncIterator[MemberEvent]]:
        self._stand()
        assert kind.resource == "resourcequotas"
        queue: asyncio.Queue[MemberEvent] = asyncio.Queue()

        async def events() -> AsyncIterator[MemberEvent]:
            while True:
                yield await queue.get()

        self._news.add(queue)
        try:
            yield events()
        finally:
            self._news.discard(queue)

    async def create(self, kind: ResourceType, _namespace: str, manifest: Manifest) -> Manifest:
        self._stand()
        assert kind.resource == "selfsubjectaccessreviews"
        return manifest | {"status": {"allowed": self.allowed}}


class Members:
    """Members by name, and the way the services under test reach them."""

    def __init__(self, **members: WatchedMember) -> None:
        self.by_name = {name.replace("_", "-"): member for name, member in members.items()}

    def __getitem__(self, name: str) -> WatchedMember:
        return self.by_name[name]

    @asynccontextmanager
    async def connect(self, name: str, credentials: MemberCredentials) -> AsyncIterator[MemberApi]:
        assert credentials.server == f"https://{name}.example"
        yield cast("MemberApi", self.by_name[name])


@asynccontextmanager
async def open_ground(kind: str, folder: Any) -> AsyncIterator[tuple[ObjectStore, Bus]]:
    """Yield store and bus, in memory or on a nats-server of their own."""
    if kind == "memory":
        yield MemoryStore(), MemoryBus()
        return
    async with NatsServer(folder / "nats") as server, connect(server.settings, "test") as nats:
        await ensure_topology(nats, STREAMS)
        async with open_store(nats) as store:
            yield store, open_bus(nats, "test")


def cluster_key(name: str) -> ObjectKey:
    return ObjectKey("hanse.dev", "clusters", "", name)


async def register(store: ObjectStore, bus: Bus, name: str, **status: Any) -> Stored:
    """Store a `Cluster` and its sealed credentials."""
    manifest: Manifest = {
        "apiVersion": "hanse.dev/v1alpha1",
        "kind": "Cluster",
        "metadata": {
            "name": name,
            "uid": f"cluster-{name}",
            "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "spec": {"region": "eu"},
    }
    if status:
        manifest["status"] = status
    stored = await store.create(cluster_key(name), manifest)
    sealed = seal(KEY, name, MemberCredentials(server=f"https://{name}.example", token="secret"))
    await bus.board("SECRETS").put(subjects.member_key(name), sealed)
    return stored


def condition(manifest: Manifest, name: str) -> dict[str, Any]:
    found = (manifest.get("status") or {}).get("conditions") or ()
    return next((each for each in found if each["type"] == name), {})


async def until(check: Callable[[], Any], seconds: float = 10.0) -> Any:
    """Wait for *check* to be true; returns what it gave."""
    async with asyncio.timeout(seconds):
        while not (found := check()):
            await asyncio.sleep(0.005)
    return found
