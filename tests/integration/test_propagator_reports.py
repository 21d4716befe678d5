"""What a worker reports when a member changes an object faster than it answers."""

import asyncio
from typing import Any

from shared.apimachinery.manifest import GroupVersionKind, Manifest, ObjectKey
from shared.memberapi.http import open_member
from shared.memberapi.port import ResourceType
from tests.federation import Federation, TestMember, deployment, deployment_key, eventually

DEPLOYMENTS = ResourceType(
    GroupVersionKind("apps", "v1", "Deployment"), "deployments", namespaced=True
)
READY: Manifest = {
    "observedGeneration": 1,
    "replicas": 2,
    "updatedReplicas": 2,
    "readyReplicas": 2,
    "availableReplicas": 2,
}


async def set_status(member: TestMember, key: ObjectKey) -> None:
    stored = await member.store.get(key)
    assert stored is not None
    changed = {**stored.manifest, "status": READY}
    await member.store.update(key, changed, expected=stored.revision)


async def reported_ready(federation: Federation, key: ObjectKey) -> bool:
    report = await federation.report("eu-1", key)
    return report is not None and report.applied and report.status.get("readyReplicas") == 2


async def test_a_status_shown_before_the_answer_to_an_apply_is_reported() -> None:
    federation = Federation(["eu-1"])
    member = federation.members["eu-1"]
    first, second = deployment_key("first"), deployment_key("second")

    async def ready_at_once(method: str, path: str) -> None:
        """Be ready before the answer is out, and let watchers know first."""
        if method != "PATCH" or not path.endswith("/second"):
            return
        async with open_member(member.credentials(), name="watcher") as api:
            stored = await member.store.get(second)
            assert stored is not None
            watch = api.watch(DEPLOYMENTS, resource_version=str(stored.revision))
            async with watch as events, asyncio.timeout(20):
                await set_status(member, second)
                async for _ in events:
                    break

    async with federation.serving(), federation.dispatching(), federation.applying():
        await share(federation, first)
        await eventually(lambda: member.get("deployments", "first", group="apps"))
        # The watch of the worker is open now.
        await set_status(member, first)
        await eventually(lambda: reported_ready(federation, first))
        member.answers_after = ready_at_once
        await share(federation, second)
        await eventually(lambda: reported_ready(federation, second))


async def share(federation: Federation, key: ObjectKey) -> Any:
    await federation.write(key, deployment(key.name, 2))
    await federation.bind(key, {"eu-1": 2})
