"""How fast manifests reach members through Hanse, beside a plain client on the same members.

Latency: one Deployment at a time, from the request to the hub until all members hold it, as their
own watches say. Throughput: many at once, until all members hold all of them. The floor puts the
same objects into the same members with plain asyncio requests, in the same run.
"""

import argparse
import asyncio
import contextlib
import statistics
import tempfile
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

from bench import load, plain_client
from bench.observer import DEPLOYMENTS, NAMESPACES, Observer, observe
from bench.processes import cpu_seconds, memory_mebibytes
from hanse.federation import SERVICES, Federation, FederationSettings, start_federation
from hanse.join import Place
from hanse.join import join as join_member
from shared.apimachinery.manifest import GroupVersionKind, encode, name_of, uid_of
from shared.memberapi.credentials import MemberCredentials, read_kubeconfig
from shared.memberapi.http import open_member
from shared.memberapi.port import MemberApi

DEADLINE = 300.0
# Requests to the hub under way at once.
WRITERS = 32
# Controllers of a real cluster are held to tens of requests a second, on machines of their own.
_REST = {"HANSE_CONTROLLER_REST": "0.2"}
# Room for every pod of the load, so that no member is full.
_ROOMY = {"HANSE_NODE_PODS": "20000", "HANSE_NODE_CPU": "512", "HANSE_NODE_MEMORY": "2Ti"}


@dataclass(frozen=True, slots=True)
class Places:
    """The namespaces of one run, of its own in members that outlive it."""

    many: str
    one_by_one: str
    floor: str

    @classmethod
    def of_run(cls) -> "Places":
        run = uuid.uuid4().hex[:6]
        return cls(f"bench-{run}", f"bench-{run}-latency", f"bench-{run}-floor")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--deployments", type=int, default=500, help="objects at once")
    parser.add_argument("--trials", type=int, default=100, help="objects one by one")
    parser.add_argument("--rounds", type=int, default=3, help="throughput runs; the median counts")
    parser.add_argument(
        "--eager-members",
        action="store_true",
        help="simulated members roll out at full speed meanwhile, on the same processors",
    )
    parser.add_argument(
        "--member-kubeconfig", type=Path, nargs="+", default=[], help="real members instead"
    )


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    return uvloop.run(_run(arguments))


def rows(figures: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Lines of the table: figure, measured, floor."""
    lines = [
        ("latency p50, one Deployment to all members", f"{figures['latency_p50_ms']:.1f} ms", "-"),
        ("latency p99", f"{figures['latency_p99_ms']:.1f} ms", "-"),
        (
            f"objects/s, {figures['objects']} objects",
            f"{figures['objects_per_second']:.0f}",
            f"{figures['floor_objects_per_second']:.0f}",
        ),
        ("ratio to the floor", f"{figures['throughput_ratio']:.2f}", "1.00"),
        (
            "CPU seconds per Deployment, all services",
            f"{sum(figures['cpu_per_deployment'].values()):.4f}",
            "-",
        ),
    ]
    lines += [
        (f"  of which {name}", f"{seconds:.4f}", "-")
        for name, seconds in figures["cpu_per_deployment"].items()
    ]
    lines += [
        (f"memory of {name}", f"{size} MiB", "-")
        for name, size in figures["memory_mebibytes"].items()
    ]
    return lines


async def _run(arguments: argparse.Namespace) -> dict[str, Any]:
    real = arguments.member_kubeconfig
    with tempfile.TemporaryDirectory(prefix="hanse-bench-") as folder:
        settings = FederationSettings(
            data_dir=Path(folder),
            clusters=0 if real else 3,
            simulator_environment=_ROOMY if arguments.eager_members else _ROOMY | _REST,
        )
        async with contextlib.AsyncExitStack() as stack:
            federation = await stack.enter_async_context(start_federation(settings))
            credentials = await _members(federation, real, stack)
            members = federation.members
            places = Places.of_run()
            observer = await stack.enter_async_context(observe(members))
            await stack.enter_async_context(_bound(federation, observer, places))
            figures = await _latency(federation, observer, places, arguments.trials)
            figures |= await _throughput(federation, observer, credentials, places, arguments)
            figures["memory_mebibytes"] = _memory(federation)
            return figures


@contextlib.asynccontextmanager
async def _bound(federation: Federation, observer: Observer, places: Places) -> AsyncIterator[None]:
    """Have what is written to the hub propagated; leave nothing of it in the members."""
    hub = federation.hub
    for namespace in (places.many, places.one_by_one):
        await hub.apply(load.namespace(namespace))
    policy = load.policy((places.many, places.one_by_one))
    await hub.apply(policy)
    try:
        yield
    finally:
        await hub.delete(GroupVersionKind.of(policy), "", name_of(policy))
        await _each(federation.members, lambda api: _empty(api, places.floor))
        for namespace in (places.many, places.one_by_one, places.floor):
            await observer.until_count(namespace, 0, deadline=DEADLINE)
        # Their own binding is gone too; the members end them in their own time.
        await _each(federation.members, lambda api: _delete_namespace(api, places.floor))


async def _members(
    federation: Federation, kubeconfigs: list[Path], stack: contextlib.AsyncExitStack
) -> list[MemberCredentials]:
    """Join the real members, if any; returns the credentials of all."""
    found = [
        read_kubeconfig(federation.layout.member(place.name) / "kubeconfig")
        for place in federation.places
    ]
    for number, kubeconfig in enumerate(kubeconfigs):
        credentials = read_kubeconfig(kubeconfig)
        name = f"real-{number + 1}"
        api = await stack.enter_async_context(open_member(credentials, name=name))
        await join_member(federation.hub.api, api, Place(name), credentials)
        federation.members[name] = api
        found.append(credentials)
    return found


async def _latency(
    federation: Federation, observer: Observer, places: Places, trials: int
) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    members, namespace = len(federation.members), places.one_by_one
    bodies = load.encoded_deployments(trials + 5, namespace=namespace)
    seconds = []
    for name, body in bodies.items():
        started = loop.time()
        await federation.hub.api.apply(DEPLOYMENTS, namespace, name, body)
        await observer.until_held(namespace, name, members, deadline=DEADLINE)
        seconds.append(loop.time() - started)
    # The first ones find the namespace missing and connections cold.
    measured = sorted(seconds[5:])
    return {
        "latency_p50_ms": round(statistics.median(measured) * 1000, 2),
        "latency_p99_ms": round(measured[int(len(measured) * 0.99) - 1] * 1000, 2),
        "trials": len(measured),
    }


async def _throughput(
    federation: Federation,
    observer: Observer,
    credentials: list[MemberCredentials],
    places: Places,
    arguments: argparse.Namespace,
) -> dict[str, Any]:
    objects = arguments.deployments * len(federation.members)
    ours, floors = [], []
    cpu: dict[str, list[float]] = {name: [] for name in ("nats", *SERVICES)}
    for _ in range(arguments.rounds):
        bodies = load.encoded_deployments(arguments.deployments, namespace=places.floor)
        seconds = await _floor(federation, observer, credentials, places.floor, bodies)
        floors.append(objects / seconds)
        before = _cpu(federation)
        bodies = load.encoded_deployments(arguments.deployments, namespace=places.many)
        ours.append(objects / await _through_hanse(federation, observer, places.many, bodies))
        for name, spent in _cpu(federation).items():
            cpu[name].append((spent - before[name]) / arguments.deployments)
        await _empty_hub(federation, observer, places.many)
    rate, floor = statistics.median(ours), statistics.median(floors)
    return {
        "objects": objects,
        "objects_per_second": round(rate, 1),
        "floor_objects_per_second": round(floor, 1),
        "throughput_ratio": round(rate / floor, 3),
        "cpu_per_deployment": {
            name: round(statistics.median(spent), 5) for name, spent in cpu.items()
        },
    }


async def _floor(
    federation: Federation,
    observer: Observer,
    credentials: list[MemberCredentials],
    namespace: str,
    bodies: Mapping[str, bytes],
) -> float:
    await _each(federation.members, lambda api: _make_namespace(api, namespace))
    seconds = await plain_client.apply_all(credentials, namespace, bodies)
    await _each(federation.members, lambda api: _empty(api, namespace))
    await observer.until_count(namespace, 0, deadline=DEADLINE)
    return seconds


async def _through_hanse(
    federation: Federation, observer: Observer, namespace: str, bodies: Mapping[str, bytes]
) -> float:
    waiting = iter(bodies.items())
    loop = asyncio.get_running_loop()

    async def write() -> None:
        for name, body in waiting:
            await federation.hub.api.apply_encoded(DEPLOYMENTS, namespace, name, body)

    started = loop.time()
    await asyncio.gather(*(write() for _ in range(WRITERS)))
    wanted = len(bodies) * len(federation.members)
    await observer.until_count(namespace, wanted, deadline=DEADLINE)
    return loop.time() - started


async def _empty_hub(federation: Federation, observer: Observer, namespace: str) -> None:
    listing = await federation.hub.api.list(DEPLOYMENTS, namespace=namespace)
    waiting = iter(listing.items)

    async def remove() -> None:
        for each in waiting:
            name = str(each["metadata"]["name"])
            await federation.hub.api.delete(
                DEPLOYMENTS, namespace, name, uid=uid_of(each), propagation="Background"
            )

    await asyncio.gather(*(remove() for _ in range(WRITERS)))
    await observer.until_count(namespace, 0, deadline=DEADLINE)


async def _make_namespace(api: MemberApi, namespace: str) -> None:
    await api.apply(NAMESPACES, "", namespace, encode(load.namespace(namespace)))


async def _delete_namespace(api: MemberApi, namespace: str) -> None:
    found = await api.get(NAMESPACES, "", namespace)
    if found is not None:
        await api.delete(NAMESPACES, "", namespace, uid=uid_of(found), propagation="Background")


async def _empty(api: MemberApi, namespace: str) -> None:
    listing = await api.list(DEPLOYMENTS, namespace=namespace)
    for each in listing.items:
        await api.delete(
            DEPLOYMENTS, namespace, name_of(each), uid=uid_of(each), propagation="Background"
        )


async def _each(members: Mapping[str, MemberApi], work: Any) -> None:
    await asyncio.gather(*(work(api) for api in members.values()))


def _cpu(federation: Federation) -> dict[str, float]:
    """Processor time of Hanse's services and NATS; the members' own is not counted."""
    pids = {name: federation.supervisor.child(name).pid for name in ("nats", *SERVICES)}
    return {name: cpu_seconds(pid) for name, pid in pids.items() if pid is not None}


def _memory(federation: Federation) -> dict[str, float]:
    return {
        child.command.name: memory_mebibytes(child.pid)
        for child in federation.supervisor.children()
        if child.pid is not None
    }
