"""One federation whose only member is either the API server of the tests or a real kube-apiserver.

What is said of members here is read and written through their API, so that the same test tells
whether the simulated one behaves as the real one does. Objects live in the namespace `default`,
which every cluster has, for a real one without controllers never loses a namespace.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from shared.api.binding import WORKS_FINALIZER
from shared.apimachinery.manifest import (
    GroupVersionKind,
    Manifest,
    ObjectKey,
    copy,
    name_of,
    uid_of,
)
from shared.events.work import WorkReport
from shared.memberapi.credentials import MemberCredentials
from shared.memberapi.http import HttpMemberApi, open_member
from shared.memberapi.port import ResourceType
from tests.federation import SOON, Federation, TestMember, eventually

MEMBER = "eu-1"
NAMESPACE = "default"
NOW = "2026-01-01T00:00:00Z"
KEEP = "preserveResourcesOnDeletion"
CONFIG_MAPS = ResourceType(GroupVersionKind("", "v1", "ConfigMap"), "configmaps", namespaced=True)
SECRETS = ResourceType(GroupVersionKind("", "v1", "Secret"), "secrets", namespaced=True)
DEPLOYMENTS = ResourceType(
    GroupVersionKind("apps", "v1", "Deployment"), "deployments", namespaced=True
)


class RealMember(TestMember):
    """Not served by the test: it is there."""

    __test__ = False

    def __init__(self, name: str, credentials: MemberCredentials) -> None:
        super().__init__(name)
        self._credentials = credentials

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[None]:
        yield

    def credentials(self) -> MemberCredentials:
        return self._credentials


@dataclass(slots=True)
class Ground:
    """The federation, and somebody who works in its member."""

    federation: Federation
    api: HttpMemberApi

    async def live(self, kind: ResourceType, name: str) -> Manifest:
        """The object in the member; empty where there is none."""
        return await self.api.get(kind, NAMESPACE, name) or {}

    async def until_live(
        self, kind: ResourceType, name: str, check: Callable[[Manifest], Any] = bool
    ) -> Manifest:
        async def look() -> Manifest | None:
            found = await self.live(kind, name)
            return found if found and check(found) else None

        found: Manifest = await eventually(look)
        return found

    async def until_gone(self, kind: ResourceType, name: str) -> None:
        async def gone() -> bool:
            return not await self.live(kind, name)

        await eventually(gone)

    async def theirs(
        self, kind: ResourceType, manifest: Manifest, manager: str = "kubectl-create"
    ) -> Manifest:
        """Somebody makes an object there."""
        body = copy(manifest)
        body["metadata"]["namespace"] = NAMESPACE
        return await self.api.create(kind, NAMESPACE, body, manager=manager)

    async def edit(
        self, kind: ResourceType, name: str, patch: Manifest, manager: str = "kubectl-edit"
    ) -> None:
        assert await self.api.merge(kind, NAMESPACE, name, patch, manager=manager)

    async def remove(self, kind: ResourceType, name: str) -> None:
        live = await self.live(kind, name)
        await self.api.delete(kind, NAMESPACE, name, uid=uid_of(live), propagation="Background")

    async def order(
        self, kind: ResourceType, manifest: Manifest, *, generation: int = 1, **spec: Any
    ) -> ObjectKey:
        """Have Hanse hold *manifest*; returns the key of the binding."""
        key = self.key(kind, name_of(manifest))
        template = copy(manifest)
        template["metadata"] |= {
            "namespace": NAMESPACE,
            "uid": f"uid-{key.name}",
            "generation": generation,
        }
        await self.federation.write(key, template)
        return await self.federation.bind(key, {MEMBER: None}, **spec)

    async def take_back(
        self, binding: ObjectKey, *, orphan: bool = False, foreground: bool = False
    ) -> None:
        """Delete the template of *binding* as the hub's API server and the scheduler would."""
        stored = await self.federation.store.get(binding)
        assert stored is not None
        resource = stored.manifest["spec"]["resource"]
        group = resource["apiVersion"].rpartition("/")[0]
        key = ObjectKey(group, resource["resource"], NAMESPACE, resource["name"])
        template = await self.federation.store.get(key)
        assert template is not None
        if foreground:
            going = copy(template.manifest)
            going["metadata"] |= {"deletionTimestamp": NOW, "finalizers": ["foregroundDeletion"]}
            await self.federation.write(key, going)
        else:
            await self.federation.delete(key)
        await self.unbind(binding, orphan=orphan)

    async def unbind(self, binding: ObjectKey, *, orphan: bool = False) -> None:
        """Have the binding ask for nothing, as the scheduler does."""
        stored = await self.federation.store.get(binding)
        assert stored is not None
        leaving = copy(stored.manifest)
        leaving["metadata"] |= {"deletionTimestamp": NOW, "finalizers": [WORKS_FINALIZER]}
        leaving["spec"] |= {"clusters": [], **({KEEP: True} if orphan else {})}
        if orphan:
            # As the garbage collector does.
            del leaving["metadata"]["ownerReferences"]
        await self.federation.write(binding, leaving)

    async def until_parted(self, binding: ObjectKey) -> None:
        async def gone() -> bool:
            return await self.federation.store.get(binding) is None

        await eventually(gone)

    def key(self, kind: ResourceType, name: str) -> ObjectKey:
        return ObjectKey(kind.gvk.group, kind.resource, NAMESPACE, name)

    async def reported(
        self, kind: ResourceType, name: str, check: Callable[[WorkReport], Any]
    ) -> WorkReport:
        async def look() -> WorkReport | None:
            report = await self.federation.report(MEMBER, self.key(kind, name))
            return report if report is not None and check(report) else None

        found: WorkReport = await eventually(look, 30)
        return found

    async def applied(self, kind: ResourceType, name: str, generation: int = 1) -> None:
        await self.reported(
            kind, name, lambda it: it.applied and it.template_generation == generation
        )

    async def refused(self, kind: ResourceType, name: str) -> str:
        """What the report says of the refusal: reason and message."""
        report = await self.reported(kind, name, lambda it: it.reason)
        return f"{report.reason}: {report.message}"


@asynccontextmanager
async def standing_on(credentials: MemberCredentials | None) -> AsyncIterator[Ground]:
    """A federation at work; *credentials* are of a real cluster, None for a simulated one."""
    federation = Federation([] if credentials else [MEMBER])
    if credentials is not None:
        federation.members[MEMBER] = RealMember(MEMBER, credentials)
    async with federation.serving(), federation.dispatching(), federation.applying(retries=SOON):
        access = federation.members[MEMBER].credentials()
        async with open_member(access, name="somebody") as api:
            yield Ground(federation, api)


def a_config_map(name: str, **data: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def a_deployment(name: str, image: str = "web:1", **container: Any) -> Manifest:
    labels = {"app": name}
    web = {"name": "web", "image": image, **container}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [web]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
    }


def managers_of(live: Manifest) -> set[str]:
    return {str(entry["manager"]) for entry in live["metadata"].get("managedFields") or ()}
