"""Members that export services to one another, over a real nats-server.

Members serve the API over memory and have no controllers: the test plays those of Services and
EndpointSlices, so that it says what there is, and when.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from services.propagator.apply.members import MemberWorkers
from services.traffic.core.catalogue import ServiceName
from services.traffic.core.definitions import IN_MEMBERS
from services.traffic.core.imports import derived_name
from services.traffic.service import Traffic
from services.traffic.settings import Settings
from shared.api.meta import GROUP
from shared.api.multicluster import (
    SERVICE_NAME_LABEL,
    SOURCE_CLUSTER_LABEL,
    export_key,
    import_key,
)
from shared.apimachinery.manifest import Manifest, ObjectKey, copy, labels_of, name_of
from shared.apiserver.definitions import with_defaults
from shared.apiserver.definitions.status import Taken, status_of
from shared.bus.jetstream import connect, ensure_topology, open_bus
from shared.bus.topology import STREAMS
from shared.clock import SystemClock
from shared.controller.loop import LoopSettings
from shared.errors import StaleRevision
from shared.runtime.nats_server import NatsServer
from shared.store.jetstream import open_store
from shared.store.port import Change, ChangeType, Scope
from tests.federation import Federation, eventually, running

WEB = ServiceName("shop", "web")
EU, US, AP = "eu-1", "us-1", "ap-1"
SLICES = Scope("discovery.k8s.io", "endpointslices", "shop")
ROUTES = "gateway.networking.k8s.io"
ROUTES_DEFINITION: Manifest = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {
        "name": f"httproutes.{ROUTES}",
        "annotations": {
            "api-approved.kubernetes.io": "https://github.com/kubernetes-sigs/gateway-api"
        },
    },
    "spec": {
        "group": ROUTES,
        "scope": "Namespaced",
        "names": {"kind": "HTTPRoute", "plural": "httproutes"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "x-kubernetes-preserve-unknown-fields": True,
                    }
                },
            }
        ],
    },
}
"""Of as much of the Gateway API as it takes."""
LOST = [{"key": "cluster.hanse.dev/unreachable", "effect": "NoSchedule"}]


class TrafficGround(Federation):
    """What members have, and what they see of one another."""

    workers: MemberWorkers
    traffic: Traffic
    name: str = "web"
    """Of the service in question, where a method is told no other."""

    # The part of a member's users, controllers and API server.

    def giving_addresses(self) -> Callable[[], None]:
        """Have members give each derived Service an address, at once; returns the way to stop."""
        stops = [self._give(name) for name in self.members]

        def stop() -> None:
            for one in stops:
                one()

        return stop

    def _give(self, member: str) -> Callable[[], None]:
        tasks: set[asyncio.Task[None]] = set()

        async def give(key: ObjectKey, manifest: Manifest) -> None:
            changed = copy(manifest)
            changed["spec"] |= {"clusterIP": "10.96.0.9", "clusterIPs": ["10.96.0.9"]}
            with contextlib.suppress(StaleRevision, KeyError):
                await self.put(member, key, changed)

        def on_change(change: Change) -> None:
            key, manifest = change.stored.key, change.stored.manifest
            derived = key.resource == "services" and key.name.startswith("derived-")
            gone = change.type is ChangeType.DELETED
            if derived and not gone and not manifest["spec"].get("clusterIP"):
                task = asyncio.get_running_loop().create_task(give(key, manifest))
                tasks.add(task)
                task.add_done_callback(tasks.discard)

        return self.members[member].store.mirror.on_change(on_change)

    async def put(self, member: str, key: ObjectKey, manifest: Manifest) -> None:
        store = self.members[member].store
        stored = store.mirror.get(key)
        if stored is None:
            await store.create(key, manifest)
        else:
            await store.update(key, manifest, expected=stored.revision)

    async def take(self, member: str, key: ObjectKey) -> None:
        store = self.members[member].store
        stored = store.mirror.get(key)
        assert stored is not None
        await store.delete(key, stored.manifest, expected=stored.revision)

    async def install(self, member: str) -> None:
        """Serve the standard's kinds, and have the namespace."""
        await self.put(
            member, ObjectKey("", "namespaces", "", "shop"), _object("Namespace", "shop")
        )
        for one in IN_MEMBERS:
            await self.define(member, one)

    async def define(self, member: str, manifest: Manifest) -> None:
        """Serve the kind of a CustomResourceDefinition."""
        name = name_of(manifest)
        definition = copy(manifest)
        definition["metadata"]["uid"] = f"uid-{name}"
        definition["spec"] = with_defaults(definition["spec"])
        now = "2026-01-01T00:00:00Z"
        definition["status"] = status_of({**definition, "status": {}}, Taken(), now=now)
        key = ObjectKey("apiextensions.k8s.io", "customresourcedefinitions", "", name)
        await self.put(member, key, definition)

    async def service(self, member: str, name: str = "", **spec: Any) -> None:
        name = name or self.name
        port = {"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080}
        whole = {
            "type": "ClusterIP",
            "clusterIP": "10.96.0.1",
            "clusterIPs": ["10.96.0.1"],
            "ipFamilies": ["IPv4"],
            "sessionAffinity": "None",
            "internalTrafficPolicy": "Cluster",
            "ports": [port],
            **spec,
        }
        manifest = {**_object("Service", name), "spec": whole}
        manifest["metadata"]["annotations"] = {"private": "yes"}
        await self.put(member, ObjectKey("", "services", "shop", name), manifest)

    async def endpoints(
        self, member: str, *addresses: str, name: str = "", ready: bool = True, **more: Any
    ) -> None:
        name = name or self.name
        port = {"name": "http", "port": 8080, "protocol": "TCP"}
        each = [
            {
                "addresses": [one],
                "conditions": {"ready": ready, "serving": ready, "terminating": False},
                "nodeName": "node-1",
                **more,
            }
            for one in addresses
        ]
        manifest = {
            **_object("EndpointSlice", f"{name}-x1", "discovery.k8s.io/v1"),
            "addressType": "IPv4",
            "endpoints": each,
            "ports": [port],
        }
        manifest["metadata"]["labels"] = {"kubernetes.io/service-name": name}
        key = ObjectKey("discovery.k8s.io", "endpointslices", "shop", f"{name}-x1")
        await self.put(member, key, manifest)

    async def export(
        self, member: str, name: str = "", *, since: str = "2026-01-01", **spec: Any
    ) -> None:
        name = name or self.name
        manifest = _object("ServiceExport", name, "multicluster.x-k8s.io/v1beta1")
        manifest["metadata"] |= {"creationTimestamp": f"{since}T00:00:00Z", "generation": 1}
        await self.put(member, export_key("shop", name), {**manifest, "spec": spec})

    async def unexport(self, member: str, name: str = "") -> None:
        name = name or self.name
        await self.take(member, export_key("shop", name))

    async def lose(self, member: str, taints: Sequence[Mapping[str, str]] = LOST) -> None:
        """Pass the verdict that nobody reaches it; without *taints*, that it is back."""
        await self._set(member, "status", taints=list(taints))

    async def leave(self, member: str, how: str) -> None:
        """Prepare it for leaving, or with an empty word no more."""
        await self._set(member, "spec", leaving=how)

    async def _set(self, member: str, part: str, **fields: Any) -> None:
        key = ObjectKey(GROUP, "clusters", "", member)
        stored = await self.store.get(key)
        assert stored is not None
        manifest = copy(stored.manifest)
        manifest[part] = {**(manifest.get(part) or {}), **fields}
        await self.store.update(key, manifest, expected=stored.revision)

    # What is seen.

    def imported(self, member: str, name: str = "") -> Manifest:
        """The ServiceImport; an empty manifest where there is none."""
        name = name or self.name
        stored = self.members[member].store.mirror.get(import_key("shop", name))
        return stored.manifest if stored is not None else {}

    def spec(self, member: str, name: str = "") -> Manifest:
        """That of the ServiceImport; empty where there is none."""
        return self.imported(member, name).get("spec") or {}

    def derived(self, member: str, name: str = "") -> Manifest:
        name = name or self.name
        return self.members[member].get("services", derived_name(ServiceName("shop", name)))

    def slices(self, member: str, name: str = "") -> dict[str, Manifest]:
        """The imported slices of a service by the member they come from."""
        name = name or self.name
        return {
            labels_of(one.manifest)[SOURCE_CLUSTER_LABEL]: one.manifest
            for one in self.members[member].store.mirror.items(SLICES)
            if labels_of(one.manifest).get(SERVICE_NAME_LABEL) == name
        }

    def reached(self, member: str, name: str = "") -> set[str]:
        """Addresses that clients of *member* are sent to."""
        return {
            address
            for one in self.slices(member, name).values()
            for endpoint in one.get("endpoints") or ()
            if endpoint["conditions"]["ready"]
            for address in endpoint["addresses"]
        }

    def condition(self, member: str, kind: str, name: str = "") -> tuple[str, str]:
        """Status and reason of a condition of the member's ServiceExport."""
        name = name or self.name
        stored = self.members[member].store.mirror.get(export_key("shop", name))
        status = (stored.manifest.get("status") or {}) if stored is not None else {}
        for one in status.get("conditions") or ():
            if one["type"] == kind:
                return one["status"], one["reason"]
        return "", ""

    async def until(self, holds: Any, seconds: float = 15.0) -> Any:
        return await eventually(holds, seconds)


@asynccontextmanager
async def traffic_ground(
    folder: Path,
    *members: str,
    installed: bool = True,
    applying: bool = True,
    working: bool = True,
) -> AsyncIterator[TrafficGround]:
    """Members *members* at work, with the standard's kinds if they are *installed*.

    Without *applying* there is no process with workers yet, without *working* none of traffic.
    """
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(NatsServer(folder / "nats"))
        connection = await stack.enter_async_context(connect(server.settings, "test"))
        await ensure_topology(connection, STREAMS)
        store = await stack.enter_async_context(open_store(connection))
        found = TrafficGround(members, store, open_bus(connection, "traffic"))
        await stack.enter_async_context(found.serving())
        if installed:
            for name in members:
                await found.install(name)
        stack.callback(found.giving_addresses())
        if applying:
            found.workers = await stack.enter_async_context(found.applying())
        if working:
            found.traffic = await stack.enter_async_context(trafficking(found))
        yield found


@asynccontextmanager
async def trafficking(ground: TrafficGround) -> AsyncIterator[Traffic]:
    settings = Settings(loop=LoopSettings(workers=4, fail_fast=True))
    traffic = Traffic(ground.store, ground.bus, clock=SystemClock(), settings=settings)
    async with running(*traffic.tasks.values()):
        yield traffic


def _object(kind: str, name: str, api_version: str = "v1") -> Manifest:
    metadata: dict[str, Any] = {"name": name, "uid": f"uid-{kind}-{name}"}
    if kind != "Namespace":
        metadata["namespace"] = "shop"
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}
