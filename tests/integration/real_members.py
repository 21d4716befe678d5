"""A whole federation of processes whose members are real kube-apiservers, and looking into both.

There is no controller manager: Deployments make no pods, and a deleted namespace does not end. What
controllers and people of a member do is done here, under their names.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from hanse.client import Fact, HanseClient, connect
from hanse.local.federation import Federation, FederationSettings, start_federation
from hanse.membership.join import Place, join
from shared.apimachinery.manifest import (
    GroupVersionKind,
    Manifest,
    encode,
    name_of,
    namespace_of,
    uid_of,
)
from shared.errors import MemberRefused
from shared.memberapi.credentials import MemberCredentials
from shared.memberapi.http import HttpMemberApi, open_member
from shared.memberapi.port import ResourceType

EAST, WEST = "real-east", "real-west"
DEADLINE = 30.0
NAMESPACE = "default"
MANAGED = "hanse.dev/managed"

Found = TypeVar("Found")


def kind(api_version: str, name: str, resource: str, *, namespaced: bool = True) -> ResourceType:
    return ResourceType(GroupVersionKind.parse(api_version, name), resource, namespaced)


CLUSTER_ROLES = kind(
    "rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles", namespaced=False
)
CONFIG_MAPS = kind("v1", "ConfigMap", "configmaps")
DEPLOYMENTS = kind("apps/v1", "Deployment", "deployments")
AUTOSCALERS = kind("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
SERVICES = kind("v1", "Service", "services")
TABS = kind("stable.example.com/v1", "CronTab", "crontabs")


async def until(
    look: Callable[[], Awaitable[Found]], deadline: float = DEADLINE, *, what: object = ""
) -> Found:
    """Look until there is something to see; returns it."""
    found: Found | None = None
    try:
        async with asyncio.timeout(deadline):
            while not (found := await look()):
                await asyncio.sleep(0.05)
    except TimeoutError as err:
        raise AssertionError(f"not within {deadline} s: {what or look}") from err
    return found


@dataclass(slots=True)
class Ground:
    """The federation, its members by name, and the facts it has told so far."""

    federation: Federation
    client: HanseClient
    credentials: dict[str, MemberCredentials]
    members: dict[str, HttpMemberApi] = field(default_factory=dict)
    facts: list[Fact] = field(default_factory=list)

    async def apply(self, *manifests: Manifest) -> None:
        for manifest in manifests:
            await self.federation.hub.apply(manifest)

    async def delete(self, manifest: Manifest, *, propagation: str = "Background") -> None:
        namespace = namespace_of(manifest)
        await self.federation.hub.delete(
            GroupVersionKind.of(manifest), namespace, name_of(manifest), propagation=propagation
        )

    async def until_unbound(self, binding: str) -> None:
        gvk = GroupVersionKind.parse("hanse.dev/v1alpha1", "ResourceBinding")

        async def gone() -> bool:
            return await self.federation.hub.get(gvk, NAMESPACE, binding) is None

        await until(gone, what=f"the end of {binding}")

    async def live(self, member: str, kind: ResourceType, name: str) -> Manifest:
        """The object in *member*; empty where there is none, or no such kind."""
        namespace = NAMESPACE if kind.namespaced else ""
        try:
            return await self.members[member].get(kind, namespace, name) or {}
        except MemberRefused:
            return {}

    async def until_live(
        self,
        member: str,
        kind: ResourceType,
        name: str,
        check: Callable[[Manifest], Any] = bool,
    ) -> Manifest:
        async def look() -> Manifest | None:
            found = await self.live(member, kind, name)
            return found if found and check(found) else None

        found = await until(look, what=f"{kind.resource} {name} in {member}")
        assert found is not None
        return found

    async def until_everywhere(
        self, kind: ResourceType, name: str, check: Callable[[Manifest], Any] = bool
    ) -> None:
        for member in self.members:
            await self.until_live(member, kind, name, check)

    async def until_fact(self, *, name: str, change: str) -> Fact:
        """Wait for the correction of drift in the object *name*."""

        async def look() -> Fact | None:
            for fact in self.facts:
                if (fact.data.get("name"), fact.data.get("change")) == (name, change):
                    return fact
            return None

        found = await until(look, what=f"drift {change} of {name}")
        assert found is not None
        return found

    async def condition(
        self, binding: str, type_: str, *, namespaced: bool = True
    ) -> dict[str, Any]:
        """A condition of the binding of that name; empty while there is none."""
        kind_name = "ResourceBinding" if namespaced else "ClusterResourceBinding"
        gvk = GroupVersionKind.parse("hanse.dev/v1alpha1", kind_name)
        namespace = NAMESPACE if namespaced else ""
        found = await self.federation.hub.get(gvk, namespace, binding) or {}
        for each in (found.get("status") or {}).get("conditions") or ():
            if each["type"] == type_:
                return dict(each)
        return {}

    async def until_refused(self, binding: str, *, namespaced: bool = True) -> str:
        """Wait until the binding says what a member refused; returns that."""

        async def look() -> str:
            found = await self.condition(binding, "FullyApplied", namespaced=namespaced)
            return str(found["message"]) if found.get("reason") == "Refused" else ""

        return await until(look, what=f"refusal in {binding}")

    async def managed(self, member: str) -> list[str]:
        """What bears Hanse's mark in *member*, and is not on its way out."""
        api = self.members[member]
        found = []
        for each in await api.discover():
            try:
                listing = await api.list(each, label_selector=f"{MANAGED}=true")
            except MemberRefused:
                continue
            found += [
                f"{each.resource}/{name_of(item)}"
                for item in listing.items
                if not item["metadata"].get("deletionTimestamp")
            ]
        return found

    async def write_status(self, member: str, name: str, status: Manifest) -> None:
        """Do as the member's deployment controller would."""
        live = await self.live(member, DEPLOYMENTS, name)
        status = {"observedGeneration": live["metadata"]["generation"], **status}
        path = DEPLOYMENTS.path(NAMESPACE, quote(name)) + "/status"
        body = {**live, "status": status}
        body["metadata"] = {**body["metadata"], "managedFields": None, "resourceVersion": None}
        await self.members[member].put(path, encode(body))

    async def scale(self, member: str, name: str, replicas: int, *, manager: str) -> None:
        """Scale in the member itself; *manager* kube-controller-manager is an autoscaler."""
        path = f"{DEPLOYMENTS.path(NAMESPACE, quote(name))}/scale"
        scale = {
            "apiVersion": "autoscaling/v1",
            "kind": "Scale",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {"replicas": replicas},
        }
        await self.members[member].put(f"{path}?fieldManager={manager}", encode(scale))

    async def remove(self, member: str, kind: ResourceType, name: str) -> None:
        """Delete the object in the member itself."""
        live = await self.live(member, kind, name)
        await self.members[member].delete(
            kind, NAMESPACE, name, uid=uid_of(live), propagation="Background"
        )

    async def follow_facts(self, started: asyncio.Event) -> None:
        async with self.client.events("drift.corrected.>") as facts:
            started.set()
            async for fact in facts:
                self.facts.append(fact)


@asynccontextmanager
async def running(folder: Path, credentials: dict[str, MemberCredentials]) -> AsyncIterator[Ground]:
    """Start a federation in *folder* and join the clusters, as `hanse up` and `hanse join` do."""
    async with AsyncExitStack() as stack:
        settings = FederationSettings(data_dir=folder, clusters=0)
        federation = await stack.enter_async_context(start_federation(settings))
        nats = federation.nats
        client = await stack.enter_async_context(connect(nats.url, nats.credentials_file))
        ground = Ground(federation, client, credentials)
        for name, access in credentials.items():
            api = await stack.enter_async_context(open_member(access, name=name))
            await join(federation.hub.api, api, Place(name), access)
            ground.members[name] = api
        started = asyncio.Event()
        task = asyncio.create_task(ground.follow_facts(started))
        await started.wait()
        try:
            yield ground
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
