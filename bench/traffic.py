"""How soon members hear of one another's endpoints, how many services they can share, and DNS.

One endpoint of a service changes again and again: from the change in its member until the last of
the others has it; of a service with one endpoint, and of one with many. Then many services are
exported at once, from cold, until every member has all of them. The floor is the same objects
written straight to the members by a plain client. Last come questions of DNS (`bench.dns`).
"""

import argparse
import asyncio
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import uvloop

from bench import dns
from bench import shared_services as services
from bench.processes import cpu_seconds, memory_mebibytes
from bench.rates import Rate
from bench.shared_services import NAMESPACE, SLICE_ENDPOINTS, SLICES, address, put
from hanse.local.federation import Federation, FederationSettings, start_federation
from shared.api.multicluster import SERVICE_NAME_LABEL
from shared.apimachinery.manifest import Manifest
from shared.memberapi.port import MemberApi, ResourceType

_WRITERS = 16
_PROCESSES = ("nats", "gateway", "scheduler", "propagator", "health", "traffic")
_FLOOR_SERVICES = 100
_CALM_SECONDS, _REST_SECONDS = 5.0, 5.0
DEADLINE = 1_200.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--clusters", type=int, default=10, help="members")
    parser.add_argument("--changes", type=int, default=40, help="changes of one endpoint")
    parser.add_argument("--endpoints", type=int, default=1_000, help="of a large service")
    parser.add_argument("--services", type=int, default=300, help="services exported at once")
    parser.add_argument("--exporters", type=int, default=2, help="members that export each")
    dns.add_arguments(parser)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    return uvloop.run(_run(arguments)) | dns.run(arguments)


def rows(figures: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    others, objects = figures["clusters"] - 1, figures["objects"]
    return [
        *_change_rows(f"endpoint change to {others} members", figures, "change"),
        *_change_rows(f"the same, one of {figures['endpoints']} endpoints", figures, "large"),
        (
            f"{figures['services']} services of {figures['exporters']} members each, from cold",
            f"{figures['converged_seconds']:.1f} s",
            f"{objects / figures['cold_floor_objects_per_second']:.1f} s",
        ),
        (
            f"objects/s of {objects} in members",
            f"{objects / figures['converged_seconds']:.0f}",
            f"{figures['cold_floor_objects_per_second']:.0f}",
        ),
        (
            "  CPU ms per object, hub",
            f"{figures['hub_cpu_ms_per_object']:.2f}",
            f"{figures['cold_floor_client_cpu_ms_per_object']:.2f}",
        ),
        (
            "  CPU ms per object, members",
            f"{figures['member_cpu_ms_per_object']:.2f}",
            f"{figures['cold_floor_member_cpu_ms_per_object']:.2f}",
        ),
        *(
            (f"  CPU seconds of {name}", f"{seconds}", "-")
            for name, seconds in figures["cpu_seconds"].items()
        ),
        *(
            (f"memory of {name} then", f"{size} MiB", f"{figures['memory_before'][name]} before")
            for name, size in figures["memory_mebibytes"].items()
        ),
        *dns.rows(dict(figures)),
    ]


def _change_rows(what: str, figures: Mapping[str, Any], name: str) -> list[tuple[str, str, str]]:
    return [
        (
            f"{what}, {quantile}",
            f"{figures[f'{name}_{quantile}_ms']:.0f} ms",
            f"{figures[f'{name}_floor_{quantile}_ms']:.0f} ms",
        )
        for quantile in ("p50", "p99")
    ]


async def _run(arguments: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="hanse-bench-") as folder:
        settings = FederationSettings(data_dir=Path(folder), clusters=arguments.clusters)
        async with start_federation(settings) as federation, asyncio.timeout(DEADLINE):
            return await _Bench(federation, arguments).measure()


@dataclass(frozen=True, slots=True)
class _Cold:
    objects: int
    seconds: float
    cpu: Mapping[str, float]


class _Bench:
    def __init__(self, federation: Federation, arguments: argparse.Namespace) -> None:
        self._federation = federation
        self._arguments = arguments
        self._members = list(federation.members.values())
        self._idle: Mapping[str, float] = {}

    async def measure(self) -> dict[str, Any]:
        before = self._each(memory_mebibytes)
        await self._make_namespace()
        figures: dict[str, Any] = {
            "clusters": len(self._members),
            "endpoints": self._arguments.endpoints,
            "services": self._arguments.services,
            "exporters": self._arguments.exporters,
            **await self._changes("one", 1, "change"),
            **await self._changes("large", self._arguments.endpoints, "large"),
        }
        cold = await self._cold()
        memory = self._each(memory_mebibytes)
        hub = sum(cold.cpu[name] for name in _PROCESSES)
        return {
            **figures,
            "objects": cold.objects,
            "converged_seconds": round(cold.seconds, 2),
            "cpu_seconds": cold.cpu,
            "hub_cpu_ms_per_object": round(1000 * hub / cold.objects, 3),
            "member_cpu_ms_per_object": round(1000 * cold.cpu["members"] / cold.objects, 3),
            **await self._cold_floor(),
            "memory_before": before,
            "memory_mebibytes": memory,
        }

    async def _make_namespace(self) -> None:
        namespace = services.manifest_of("v1", "Namespace", NAMESPACE, "")
        await self._federation.hub.apply(namespace)
        for member in self._members:
            await put(member, services.NAMESPACES, namespace)

    async def _changes(self, name: str, endpoints: int, figure: str) -> dict[str, float]:
        """One endpoint of the first slice of service *name* becomes another, again and again."""
        source, others = self._members[0], self._members[1:]
        await put(source, services.SERVICES, services.service_of(name))
        first, *rest = services.slices_of(name, 1, endpoints)
        for one in (first, *rest):
            await put(source, SLICES, one)
        await self._federation.hub.apply(services.export_of(name))
        for one in (first, *rest):
            [wanted] = one["endpoints"][0]["addresses"]
            await services.until_imported(others, name, wanted)
        found, floor = [], []
        for number in range(1, self._arguments.changes + 1):
            others_of_slice = [address(1, one) for one in range(1, min(endpoints, SLICE_ENDPOINTS))]
            changed = services.slice_of(name, f"{name}-0", [address(2, number), *others_of_slice])
            found.append(await self._change(name, address(2, number), changed))
            straight = services.slice_of("floor", f"floor-{name}", [address(3, number)])
            straight["endpoints"] += changed["endpoints"][1:]
            began = perf_counter()
            await asyncio.gather(*(put(one, SLICES, straight) for one in others))
            floor.append(perf_counter() - began)
        return {
            f"{figure}_{part}": round(one, 1)
            for label, seconds in (("", found), ("floor_", floor))
            for part, one in _quantiles(seconds, label).items()
        }

    async def _change(self, name: str, wanted: str, changed: Manifest) -> float:
        source, others = self._members[0], self._members[1:]
        async with asyncio.TaskGroup() as group:
            ready = [asyncio.Event() for _ in others]
            watching = [
                group.create_task(services.seen(one, name, wanted, event))
                for one, event in zip(others, ready, strict=True)
            ]
            await asyncio.gather(*(event.wait() for event in ready))
            began = perf_counter()
            await put(source, SLICES, changed)
            return max(await asyncio.gather(*watching)) - began

    async def _cold(self) -> _Cold:
        """Export all at once; what that made in members, and took."""
        count, each = self._arguments.services, self._arguments.exporters
        names = [f"many-{number}" for number in range(count)]
        members = self._members

        async def serve(name: str) -> None:
            number = int(name.rpartition("-")[2])
            for place in range(each):
                member = members[(number + place) % len(members)]
                await put(member, services.SERVICES, services.service_of(name))
                addresses = [address(4 + place, number)]
                await put(member, SLICES, services.slice_of(name, name, addresses))

        async def export(name: str) -> None:
            await self._federation.hub.apply(services.export_of(name))

        await _in_turn(serve, names)
        self._idle = await self._at_rest()
        async with asyncio.TaskGroup() as group:
            ready = [asyncio.Event() for _ in members]
            for member, event in zip(members, ready, strict=True):
                group.create_task(services.until_slices(member, count * each, event))
            await asyncio.gather(*(event.wait() for event in ready))
            spent, began = self._spending(), perf_counter()
            await _in_turn(export, names)
        # Beside its slices each member has an import and a Service of each.
        return _Cold(len(members) * count * (each + 2), perf_counter() - began, spent())

    async def _cold_floor(self) -> dict[str, float]:
        """The objects of some of the services, written straight under other names."""
        copies = [
            (kind, _renamed(kind, item, number))
            for kind in (services.SERVICES, services.IMPORTS, SLICES)
            for number, item in enumerate(await self._some_of(kind))
        ]
        spent, began, own = self._spending(), perf_counter(), process_time()

        async def write(member: MemberApi) -> None:
            async def one(copy: tuple[ResourceType, Manifest]) -> None:
                await put(member, *copy)

            await _in_turn(one, copies)

        await asyncio.gather(*(write(member) for member in self._members))
        seconds, count = perf_counter() - began, len(copies) * len(self._members)
        members = spent()["members"]
        return {
            "cold_floor_objects_per_second": round(count / seconds, 1),
            "cold_floor_client_cpu_ms_per_object": round(1000 * (process_time() - own) / count, 3),
            "cold_floor_member_cpu_ms_per_object": round(1000 * members / count, 3),
        }

    async def _some_of(self, kind: ResourceType) -> Sequence[Manifest]:
        label = "" if kind is services.IMPORTS else SERVICE_NAME_LABEL
        found = await self._members[0].list(kind, namespace=NAMESPACE, label_selector=label)
        each = self._arguments.exporters if kind is SLICES else 1
        return found.items[-min(_FLOOR_SERVICES, self._arguments.services) * each :]

    async def _at_rest(self) -> dict[str, float]:
        """Processor time in a second of each, while nothing happens."""
        await asyncio.sleep(_CALM_SECONDS)
        before = self._each(cpu_seconds)
        await asyncio.sleep(_REST_SECONDS)
        after = self._each(cpu_seconds)
        return {name: (now - before[name]) / _REST_SECONDS for name, now in after.items()}

    def _spending(self) -> Callable[[], dict[str, float]]:
        """Return what tells the processor time of each since now, but for what rest takes."""
        used, began = self._each(cpu_seconds), perf_counter()

        def spent() -> dict[str, float]:
            seconds = perf_counter() - began
            return {
                name: round(max(now - used[name] - seconds * self._idle[name], 0.0), 2)
                for name, now in self._each(cpu_seconds).items()
            }

        return spent

    def _each(self, look: Callable[[int], float]) -> dict[str, float]:
        """What *look* finds of each process of the hub, and of all members together."""
        supervisor = self._federation.supervisor
        pids = {name: supervisor.child(name).pid for name in _PROCESSES}
        found = {name: look(pid) for name, pid in pids.items() if pid is not None}
        members = [supervisor.child(f"member-{name}").pid for name in self._federation.members]
        found["members"] = round(sum(look(pid) for pid in members if pid is not None), 1)
        return found


async def _in_turn(do: Callable[[Any], Any], what: Sequence[Any]) -> None:
    """Do it to each, so many at a time."""

    async def work(own: Sequence[Any]) -> None:
        for one in own:
            await do(one)

    await asyncio.gather(*(work(what[at::_WRITERS]) for at in range(_WRITERS)))


def _renamed(kind: ResourceType, item: Manifest, number: int) -> Manifest:
    """The same object, as it was applied, under another name and nobody's import."""
    found = {name: part for name, part in item.items() if name not in ("metadata", "status")}
    if "spec" in found:
        given = ("clusterIP", "clusterIPs")
        found["spec"] = {name: one for name, one in found["spec"].items() if name not in given}
    gvk = kind.gvk
    return {**services.manifest_of(gvk.api_version, gvk.kind, f"floor-{number}"), **found}


def _quantiles(seconds: Sequence[float], label: str) -> dict[str, float]:
    rate = Rate.of(seconds, 1.0)
    return {f"{label}p50_ms": rate.p50_ms, f"{label}p99_ms": rate.p99_ms}
