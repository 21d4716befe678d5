"""How soon members hear of one another's endpoints, and how many services they can share.

One service of every member is exported and one of its endpoints changes again and again: from the
change in its member until the last of the others has it. Then many services are exported at once,
from cold, until every member has all of them. The floor of the first is the same slice written
straight to every member by a plain client.
"""

import argparse
import asyncio
import statistics
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import uvloop

from bench.processes import cpu_seconds, memory_mebibytes
from hanse.local.federation import Federation, FederationSettings, start_federation
from shared.api.multicluster import SERVICE_NAME_LABEL
from shared.apimachinery.manifest import GroupVersionKind, Manifest, encode
from shared.memberapi.port import MemberApi, ResourceType

NAMESPACE = "traffic"
SERVICES = ResourceType(GroupVersionKind("", "v1", "Service"), "services", namespaced=True)
SLICES = ResourceType(
    GroupVersionKind("discovery.k8s.io", "v1", "EndpointSlice"), "endpointslices", namespaced=True
)
NAMESPACES = ResourceType(GroupVersionKind("", "v1", "Namespace"), "namespaces", namespaced=False)
EXPORTS = ResourceType(
    GroupVersionKind("multicluster.x-k8s.io", "v1beta1", "ServiceExport"),
    "serviceexports",
    namespaced=True,
)
_WRITERS = 16
_PROCESSES = ("nats", "gateway", "scheduler", "propagator", "health", "traffic")
_LOOK_SECONDS = 0.5
DEADLINE = 600.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--clusters", type=int, default=10, help="members")
    parser.add_argument("--changes", type=int, default=40, help="changes of one endpoint")
    parser.add_argument("--services", type=int, default=1_000, help="services exported at once")
    parser.add_argument("--exporters", type=int, default=2, help="members that export each")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    return uvloop.run(_run(arguments))


def rows(figures: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    change, floor = figures["change_milliseconds"], figures["floor_milliseconds"]
    return [
        (
            f"endpoint change to {figures['clusters'] - 1} members, p50",
            f"{change['p50']:.0f} ms",
            f"{floor['p50']:.0f} ms",
        ),
        ("the same, p99", f"{change['p99']:.0f} ms", f"{floor['p99']:.0f} ms"),
        (
            f"{figures['services']} services of {figures['exporters']} members each, from cold",
            f"{figures['converged_seconds']:.1f} s",
            f"{figures['objects']} objects",
        ),
        *(
            (f"processor time of {name} for that", f"{seconds} s", "-")
            for name, seconds in figures["cpu_seconds"].items()
        ),
        *(
            (f"memory of {name} then", f"{size} MiB", f"{figures['memory_before'][name]} MiB")
            for name, size in figures["memory_mebibytes"].items()
        ),
    ]


async def _run(arguments: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="hanse-bench-") as folder:
        settings = FederationSettings(data_dir=Path(folder), clusters=arguments.clusters)
        async with start_federation(settings) as federation:
            return await _Bench(federation, arguments).measure()


class _Bench:
    def __init__(self, federation: Federation, arguments: argparse.Namespace) -> None:
        self._federation = federation
        self._arguments = arguments
        self._members = list(federation.members.values())

    async def measure(self) -> dict[str, Any]:
        before = self._each(memory_mebibytes)
        await self._federation.hub.apply(_object("v1", "Namespace", NAMESPACE, ""))
        for member in self._members:
            await _put(member, NAMESPACES, _object("v1", "Namespace", NAMESPACE, ""))
        floor = await self._floor()
        change = await self._changes()
        used = self._each(cpu_seconds)
        objects, seconds = await self._many()
        return {
            "clusters": len(self._members),
            "change_milliseconds": _quantiles(change),
            "floor_milliseconds": _quantiles(floor),
            "services": self._arguments.services,
            "exporters": self._arguments.exporters,
            "objects": objects,
            "converged_seconds": round(seconds, 2),
            "cpu_seconds": {
                name: round(now - used[name], 1) for name, now in self._each(cpu_seconds).items()
            },
            "memory_before": before,
            "memory_mebibytes": self._each(memory_mebibytes),
        }

    async def _floor(self) -> list[float]:
        """The same slice, written to every member but one by a client of their own APIs."""
        found = []
        loop = asyncio.get_running_loop()
        for number in range(self._arguments.changes):
            body = _slice("floor", _address(0, number))
            began = loop.time()
            await asyncio.gather(*(_put(one, SLICES, body) for one in self._members[1:]))
            found.append(loop.time() - began)
        return found

    async def _changes(self) -> list[float]:
        source, others = self._members[0], self._members[1:]
        await _put(source, SERVICES, _service("one"))
        await _put(source, SLICES, _slice("one", _address(1, 0)))
        await self._export("one")
        await self._until_all(others, "one", _address(1, 0))
        found = []
        loop = asyncio.get_running_loop()
        for number in range(1, self._arguments.changes + 1):
            async with asyncio.TaskGroup() as group:
                ready = [asyncio.Event() for _ in others]
                watching = [
                    group.create_task(_seen(one, "one", _address(1, number), event))
                    for one, event in zip(others, ready, strict=True)
                ]
                await asyncio.gather(*(event.wait() for event in ready))
                began = loop.time()
                await _put(source, SLICES, _slice("one", _address(1, number)))
                ended = await asyncio.gather(*watching)
            found.append(max(ended) - began)
        return found

    async def _many(self) -> tuple[int, float]:
        """Export all at once; how many objects that made in members, and after how long."""
        count, each = self._arguments.services, self._arguments.exporters
        names = [f"many-{number}" for number in range(count)]
        members = self._members

        async def serve(names: list[str]) -> None:
            for name in names:
                number = int(name.rpartition("-")[2])
                for place in range(each):
                    member = members[(number + place) % len(members)]
                    await _put(member, SERVICES, _service(name))
                    await _put(member, SLICES, _slice(name, _address(2 + place, number)))

        await asyncio.gather(*(serve(names[at::_WRITERS]) for at in range(_WRITERS)))
        loop = asyncio.get_running_loop()
        began = loop.time()

        async def export(names: list[str]) -> None:
            for name in names:
                await self._export(name)

        await asyncio.gather(*(export(names[at::_WRITERS]) for at in range(_WRITERS)))
        # Each member gets all slices; beside those an import and a Service of each.
        wanted = count * each + 1
        async with asyncio.timeout(DEADLINE):
            for member in members:
                while await _imported(member) < wanted:
                    await asyncio.sleep(_LOOK_SECONDS)
        return len(members) * count * (each + 2), loop.time() - began

    async def _export(self, name: str) -> None:
        await self._federation.hub.apply(
            _object("multicluster.x-k8s.io/v1beta1", "ServiceExport", name)
        )

    async def _until_all(self, members: list[MemberApi], name: str, address: str) -> None:
        async with asyncio.timeout(DEADLINE):
            for member in members:
                while address not in await _addresses(member, name):
                    await asyncio.sleep(0.1)

    def _each(self, look: Callable[[int], float]) -> dict[str, float]:
        """What *look* finds of each process of the hub, and of all members together."""
        supervisor = self._federation.supervisor
        pids = {name: supervisor.child(name).pid for name in _PROCESSES}
        found = {name: look(pid) for name, pid in pids.items() if pid is not None}
        members = [supervisor.child(f"member-{name}").pid for name in self._federation.members]
        found["members"] = round(sum(look(pid) for pid in members if pid is not None), 1)
        return found


async def _seen(member: MemberApi, name: str, address: str, ready: asyncio.Event) -> float:
    """When *member* shows *address* in an imported slice of *name*; *ready* once it watches."""
    loop = asyncio.get_running_loop()
    selector = f"{SERVICE_NAME_LABEL}={name}"
    listing = await member.list(SLICES, namespace=NAMESPACE, label_selector=selector)
    watch = member.watch(SLICES, resource_version=listing.resource_version, label_selector=selector)
    wanted = f'"{address}"'.encode()
    async with asyncio.timeout(DEADLINE), watch as events:
        ready.set()
        async for event in events:
            if wanted in event.body:
                return loop.time()
    raise TimeoutError(f"the watch ended before {address} came")


async def _addresses(member: MemberApi, name: str) -> set[str]:
    selector = f"{SERVICE_NAME_LABEL}={name}"
    listing = await member.list(SLICES, namespace=NAMESPACE, label_selector=selector)
    return {
        address
        for one in listing.items
        for endpoint in one.get("endpoints") or ()
        for address in endpoint["addresses"]
    }


async def _imported(member: MemberApi) -> int:
    listing = await member.list(SLICES, namespace=NAMESPACE, label_selector=SERVICE_NAME_LABEL)
    return len(listing.items)


async def _put(member: MemberApi, kind: ResourceType, manifest: Manifest) -> None:
    metadata = manifest["metadata"]
    await member.apply_encoded(
        kind, metadata.get("namespace", ""), metadata["name"], encode(manifest), manager="bench"
    )


def _object(api_version: str, kind: str, name: str, namespace: str = NAMESPACE) -> Manifest:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}


def _service(name: str) -> Manifest:
    port = {"name": "http", "port": 80, "protocol": "TCP"}
    return {**_object("v1", "Service", name), "spec": {"ports": [port]}}


def _slice(name: str, address: str) -> Manifest:
    found = _object("discovery.k8s.io/v1", "EndpointSlice", name)
    found["metadata"]["labels"] = {"kubernetes.io/service-name": name}
    port = {"name": "http", "port": 8080, "protocol": "TCP"}
    conditions = {"ready": True}
    endpoints = [{"addresses": [address], "conditions": conditions}]
    return {**found, "addressType": "IPv4", "ports": [port], "endpoints": endpoints}


def _address(part: int, number: int) -> str:
    return f"10.{200 + part}.{number // 250}.{number % 250 + 1}"


def _quantiles(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    last = ordered[min(len(ordered) - 1, round(len(ordered) * 0.99))]
    return {"p50": statistics.median(ordered) * 1000, "p99": last * 1000}
