"""How long a whole federation takes to come back with many works stored.

ConfigMaps, which no controller of a member turns into more, are propagated to three members; then
NATS and every service are killed and started again together. It has caught up when something new
reaches all members, for everything that was missed comes before it or beside it.
"""

import asyncio
from typing import Any

from bench import load
from bench.processes import memory_mebibytes
from bench.verbs import by_writers
from hanse.local.federation import SERVICES, Federation
from shared.apimachinery.manifest import GroupVersionKind, Manifest, encode
from shared.errors import RetryableError
from shared.memberapi.port import MemberApi, ResourceType

CONFIG_MAPS = ResourceType(GroupVersionKind("", "v1", "ConfigMap"), "configmaps", namespaced=True)
NAMESPACE = "bench-works"
_POLL_SECONDS = 0.05


async def restart_with_works(federation: Federation, works: int, deadline: float) -> dict[str, Any]:
    """Return the figures; *deadline* in seconds for each step."""
    members = len(federation.members)
    hub = federation.hub
    await hub.apply(load.namespace(NAMESPACE))
    await hub.apply(_policy())
    names = [f"item-{number:06d}" for number in range(works // members)]

    async def write(name: str) -> None:
        await hub.api.apply_encoded(CONFIG_MAPS, NAMESPACE, name, encode(_config_map(name)))

    async with asyncio.timeout(5 * deadline):
        await by_writers(names, write)
    await _until_held(federation, names[-1:], deadline)
    for api in federation.members.values():
        await _until_count(api, len(names), deadline)
    seconds = await _restart_all(federation, deadline)
    pids = {name: federation.supervisor.child(name).pid for name in ("nats", *SERVICES)}
    return {
        "works": len(names) * members,
        "works_caught_up_seconds": seconds,
        "works_memory_mebibytes": {
            name: memory_mebibytes(pid) for name, pid in pids.items() if pid is not None
        },
    }


async def _restart_all(federation: Federation, deadline: float) -> float:
    children = [federation.supervisor.child(name) for name in ("nats", *SERVICES)]
    killed = {child.command.name: child.pid for child in children}
    for child in children:
        child.hold()
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(deadline):
        while any(child.pid is not None for child in children):
            await asyncio.sleep(_POLL_SECONDS)
    assert all(pid is not None for pid in killed.values())
    started = loop.time()
    for child in children:
        child.release()
    async with asyncio.timeout(deadline):
        while True:
            try:
                manifest = _config_map("newest")
                await federation.hub.api.apply_encoded(
                    CONFIG_MAPS, NAMESPACE, "newest", encode(manifest)
                )
                break
            except RetryableError:
                await asyncio.sleep(_POLL_SECONDS)
    await _until_held(federation, ["newest"], deadline)
    return round(loop.time() - started, 2)


async def _until_held(federation: Federation, names: list[str], deadline: float) -> None:
    async with asyncio.timeout(deadline):
        for api in federation.members.values():
            for name in names:
                while await api.get(CONFIG_MAPS, NAMESPACE, name) is None:
                    await asyncio.sleep(_POLL_SECONDS)


async def _until_count(api: MemberApi, count: int, deadline: float) -> None:
    async with asyncio.timeout(deadline):
        # A namespace has a ConfigMap of its own.
        while len((await api.list(CONFIG_MAPS, namespace=NAMESPACE)).items) < count:
            await asyncio.sleep(1)


def _config_map(name: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "data": {"text": f"the contents of {name}"},
    }


def _policy() -> Manifest:
    return {
        "apiVersion": "hanse.dev/v1alpha1",
        "kind": "PropagationPolicy",
        "metadata": {"name": "bench", "namespace": NAMESPACE},
        "spec": {
            "resourceSelectors": [{"apiVersion": "v1", "kind": "ConfigMap"}],
            "placement": {"replicaScheduling": {"replicaSchedulingType": "Duplicated"}},
        },
    }
