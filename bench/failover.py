"""How long until what ran in a lost member runs elsewhere, with default settings.

All workloads prefer one member of many; that one falls silent (its process is stopped and answers
nobody, as behind a cut line) or is killed. The clock starts then. Detected is when the Cluster
bears the taint; moved is when another member shows the workload with a pod ready. The floor is the
same Deployments applied by a plain client to one of the others, from the first request to the last
pod ready: nothing that has to start them can be quicker.
"""

import argparse
import asyncio
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from bench import load
from bench.observer import DEPLOYMENTS, NAMESPACES
from bench.processes import cpu_seconds
from bench.status_writes import status_writes
from bench.verbs import by_writers
from hanse.local.federation import SERVICES, Federation, FederationSettings, start_federation
from shared.api.meta import API_VERSION
from shared.apimachinery.manifest import GroupVersionKind, Manifest
from shared.memberapi.port import MemberApi

DEADLINE = 300.0
NAMESPACE = "bench-failover"
_FLOOR = "bench-floor"
_POLL_SECONDS = 0.1
_ROOMY = {"HANSE_NODE_PODS": "20000", "HANSE_NODE_CPU": "512", "HANSE_NODE_MEMORY": "2Ti"}
_CLUSTERS = GroupVersionKind.parse(API_VERSION, "Cluster")


class _Status(msgspec.Struct, rename="camel"):
    ready_replicas: int = 0


class _Metadata(msgspec.Struct, rename="camel"):
    resource_version: str
    name: str = ""
    namespace: str = ""


class _Deployment(msgspec.Struct):
    metadata: _Metadata
    status: _Status = msgspec.field(default_factory=_Status)


_read = msgspec.json.Decoder(_Deployment).decode


class ReadyWorkloads:
    """When each workload had a pod ready in one of the members that are watched."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self.since: dict[str, float] = {}
        self._changed = asyncio.Event()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(DEADLINE):
            while len(self.since) < count:
                self._changed.clear()
                await self._changed.wait()

    async def follow(self, api: MemberApi, listed: asyncio.Event) -> None:
        """Keep up with one member until cancelled."""
        version = (await api.list(DEPLOYMENTS)).resource_version
        listed.set()
        while True:
            async with api.watch(DEPLOYMENTS, resource_version=version) as events:
                async for event in events:
                    found = _read(event.body)
                    version = found.metadata.resource_version
                    if found.metadata.namespace == self._namespace and found.status.ready_replicas:
                        self._note(found.metadata.name)

    def _note(self, name: str) -> None:
        self.since.setdefault(name, asyncio.get_running_loop().time())
        self._changed.set()


@asynccontextmanager
async def watched(members: Sequence[MemberApi], namespace: str) -> AsyncIterator[ReadyWorkloads]:
    ready = ReadyWorkloads(namespace)
    listed = [asyncio.Event() for _ in members]
    tasks = [
        asyncio.create_task(ready.follow(api, event))
        for api, event in zip(members, listed, strict=True)
    ]
    try:
        await asyncio.gather(*(event.wait() for event in listed))
        yield ready
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--clusters", type=int, default=20, help="members, all simulated")
    parser.add_argument(
        "--workloads", type=int, nargs="+", default=[30, 1000], help="one run for each"
    )
    parser.add_argument(
        "--killed", action="store_true", help="the member's port is closed instead of silent"
    )


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    return uvloop.run(_run(arguments))


def rows(figures: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    lines = []
    for each in figures["runs"]:
        head, floor = f"{each['workloads']} workloads", f"{each['floor_seconds']:.1f} s"
        lines += [
            (f"{head}: loss detected", f"{each['detected_seconds']:.1f} s", "-"),
            (f"{head}: first moved", f"{each['first_seconds']:.1f} s", "-"),
            (f"{head}: last moved", f"{each['last_seconds']:.1f} s", floor),
            (f"{head}: CPU of all services", f"{each['cpu_seconds']:.1f} s", "-"),
        ]
    lines.append(
        (
            "status writes per 1,000 pods becoming ready",
            f"{figures['status_writes_per_1000_pods']:.0f}",
            f"{figures['member_status_writes_per_1000_pods']:.0f}",
        )
    )
    return lines


async def _run(arguments: argparse.Namespace) -> dict[str, Any]:
    runs: list[dict[str, Any]] = []
    writes: dict[str, Any] = {}
    for workloads in arguments.workloads:
        with tempfile.TemporaryDirectory(prefix="hanse-bench-") as folder:
            settings = FederationSettings(
                data_dir=Path(folder),
                clusters=arguments.clusters,
                simulator_environment=_ROOMY,
            )
            async with start_federation(settings) as federation:
                await _until_all_take_part(federation)
                writes = writes or await status_writes(federation, DEADLINE)
                runs.append(await _lose_one(federation, workloads, killed=arguments.killed))
    return {"clusters": arguments.clusters, "killed": arguments.killed, "runs": runs, **writes}


async def _lose_one(federation: Federation, workloads: int, *, killed: bool) -> dict[str, Any]:
    lost, *others = federation.members
    hub = federation.hub
    bodies = load.encoded_deployments(workloads, namespace=NAMESPACE)
    await hub.apply(load.namespace(NAMESPACE))
    await hub.apply(_policy(lost))

    async def write(name: str) -> None:
        await hub.api.apply(DEPLOYMENTS, NAMESPACE, name, bodies[name])

    async with watched([federation.members[lost]], NAMESPACE) as before:
        await by_writers(list(bodies), write)
        await before.until(workloads)
    floor = await _floor(federation.members[others[-1]], workloads)
    loop = asyncio.get_running_loop()
    pids = [pid for name in SERVICES if (pid := federation.supervisor.child(name).pid)]
    spent = sum(map(cpu_seconds, pids))
    async with watched([federation.members[name] for name in others], NAMESPACE) as ready:
        began = loop.time()
        detecting = asyncio.create_task(_until_tainted(federation, lost))
        pid = federation.supervisor.child(f"member-{lost}").pid
        if killed:
            federation.lose(lost)
        else:
            assert pid is not None
            os.kill(pid, signal.SIGSTOP)
        try:
            await ready.until(workloads)
            detected = await detecting
        finally:
            detecting.cancel()
            if not killed and pid is not None:
                os.kill(pid, signal.SIGCONT)
    times = [at - began for at in ready.since.values()]
    return {
        "workloads": workloads,
        "detected_seconds": round(detected - began, 2),
        "first_seconds": round(min(times), 2),
        "last_seconds": round(max(times), 2),
        "cpu_seconds": round(sum(map(cpu_seconds, pids)) - spent, 2),
        "floor_seconds": round(floor, 2),
    }


async def _until_all_take_part(federation: Federation) -> None:
    """Wait until every member has joined and its room is known: work goes elsewhere before."""
    async with asyncio.timeout(DEADLINE):
        while not all(map(_takes_part, await federation.hub.list(_CLUSTERS))):
            await asyncio.sleep(_POLL_SECONDS)


def _takes_part(cluster: Manifest) -> bool:
    status = cluster.get("status") or {}
    true = {each["type"] for each in status.get("conditions") or () if each["status"] == "True"}
    return {"Joined", "Ready"} <= true and bool(status.get("capacity"))


async def _until_tainted(federation: Federation, name: str) -> float:
    async with asyncio.timeout(DEADLINE):
        while True:
            cluster = await federation.hub.get(_CLUSTERS, "", name)
            status = (cluster or {}).get("status") or {}
            if status.get("taints"):
                return asyncio.get_running_loop().time()
            await asyncio.sleep(_POLL_SECONDS)


async def _floor(member: MemberApi, workloads: int) -> float:
    """Seconds in which a plain client has the same workloads running in one member."""
    bodies = load.encoded_deployments(workloads, namespace=_FLOOR)
    namespace = load.namespace(_FLOOR)
    await member.create(NAMESPACES, "", namespace)

    async def write(name: str) -> None:
        await member.apply_encoded(DEPLOYMENTS, _FLOOR, name, bodies[name])

    async with watched([member], _FLOOR) as ready:
        began = asyncio.get_running_loop().time()
        await by_writers(list(bodies), write)
        await ready.until(workloads)
        return asyncio.get_running_loop().time() - began


def _policy(preferred: str) -> Manifest:
    """One cluster each: the *preferred* while it is there, any other then."""
    return {
        "apiVersion": "hanse.dev/v1alpha1",
        "kind": "PropagationPolicy",
        "metadata": {"name": "bench", "namespace": NAMESPACE},
        "spec": {
            "resourceSelectors": [{"apiVersion": "apps/v1", "kind": "Deployment"}],
            "placement": {
                "clusterAffinities": [
                    {"affinityName": "preferred", "clusterNames": [preferred]},
                    {"affinityName": "any"},
                ],
                "spreadConstraints": [{"spreadByField": "cluster", "minGroups": 1, "maxGroups": 1}],
                "replicaScheduling": {
                    "replicaSchedulingType": "Divided",
                    "replicaDivisionPreference": "Weighted",
                    "weightPreference": {"dynamicWeight": "AvailableReplicas"},
                },
            },
        },
    }
