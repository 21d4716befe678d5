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
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import uvloop

from bench import load, plain_client
from bench.observer import DEPLOYMENTS, NAMESPACES, Observer, observe
from bench.processes import cpu_seconds, memory_mebibytes
from hanse.federation import SERVICES, Federation, FederationSettings, start_federation
from hanse.join import Place
from hanse.join import join as join_member
from shared.apimachinery.manifest import encode, uid_of
from shared.memberapi.credentials import MemberCredentials, read_kubeconfig
from shared.memberapi.http import open_member
from shared.memberapi.port import MemberApi

DEADLINE = 300.0
FLOOR_NAMESPACE = "bench-floor"
LATENCY_NAMESPACE = "bench-latency"
# Requests to the hub under way at once.
WRITERS = 32
# Room for every pod of the load, so that no member is full.
_ROOMY = {"HANSE_NODE_PODS": "20000", "HANSE_NODE_CPU": "512", "HANSE_NODE_MEMORY": "2Ti"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--deployments", type=int, default=500, help="objects at once")
    parser.add_argument("--trials", type=int, default=100, help="objects one by one")
    parser.add_argument("--rounds", type=int, default=3, help="throughput runs; the median counts")
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
            simulator_environment=_ROOMY,
        )
        async with contextlib.AsyncExitStack() as stack:
            federation = await stack.enter_async_context(start_federation(settings))
            credentials = await _members(federation, real, stack)
            members = federation.members
            for namespace in (load.NAMESPACE, LATENCY_NAMESPACE):
                await federation.hub.apply(load.namespace(namespace))
            await federation.hub.apply(load.policy())
            observer = await stack.enter_async_context(observe(members))
            figures = await _latency(federation, observer, arguments.trials)
            figures |= await _throughput(federation, observer, credentials, arguments)
            figures["memory_mebibytes"] = _memory(federation)
            return figures


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


async def _latency(federation: Federation, observer: Observer, trials: int) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    members = len(federation.members)
    bodies = load.encoded_deployments(trials + 5, namespace=LATENCY_NAMESPACE)
    seconds = []
    for name, body in bodies.items():
        started = loop.time()
        await federation.hub.api.apply(DEPLOYMENTS, LATENCY_NAMESPACE, name, body)
        await observer.until_held(LATENCY_NAMESPACE, name, members, deadline=DEADLINE)
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
    arguments: argparse.Namespace,
) -> dict[str, Any]:
    objects = arguments.deployments * len(federation.members)
    ours, floors = [], []
    cpu: dict[str, list[float]] = {name: [] for name in ("nats", *SERVICES)}
    for _ in range(arguments.rounds):
        floors.append(objects / await _floor(federation, observer, credentials, arguments))
        before = _cpu(federation)
        ours.append(objects / await _through_hanse(federation, observer, arguments))
        for name, seconds in _cpu(federation).items():
            cpu[name].append((seconds - before[name]) / arguments.deployments)
        await _empty_hub(federation, observer)
    rate, floor = statistics.median(ours), statistics.median(floors)
    return {
        "objects": objects,
        "objects_per_second": round(rate, 1),
        "floor_objects_per_second": round(floor, 1),
        "throughput_ratio": round(rate / floor, 3),
        "cpu_per_deployment": {
            name: round(statistics.median(seconds), 5) for name, seconds in cpu.items()
        },
    }


async def _floor(
    federation: Federation,
    observer: Observer,
    credentials: list[MemberCredentials],
    arguments: argparse.Namespace,
) -> float:
    bodies = load.encoded_deployments(arguments.deployments, namespace=FLOOR_NAMESPACE)
    await _each(federation.members, _make_namespace)
    seconds = await plain_client.apply_all(credentials, FLOOR_NAMESPACE, bodies)
    await _each(federation.members, _empty_namespace)
    await observer.until_count(FLOOR_NAMESPACE, 0, deadline=DEADLINE)
    return seconds


async def _through_hanse(
    federation: Federation, observer: Observer, arguments: argparse.Namespace
) -> float:
    bodies = load.encoded_deployments(arguments.deployments)
    waiting = iter(bodies.items())
    loop = asyncio.get_running_loop()

    async def write() -> None:
        for name, body in waiting:
            await federation.hub.api.apply(DEPLOYMENTS, load.NAMESPACE, name, body)

    started = loop.time()
    await asyncio.gather(*(write() for _ in range(WRITERS)))
    wanted = len(bodies) * len(federation.members)
    await observer.until_count(load.NAMESPACE, wanted, deadline=DEADLINE)
    return loop.time() - started


async def _empty_hub(federation: Federation, observer: Observer) -> None:
    listing = await federation.hub.api.list(DEPLOYMENTS, namespace=load.NAMESPACE)
    waiting = iter(listing.items)

    async def remove() -> None:
        for each in waiting:
            name = str(each["metadata"]["name"])
            await federation.hub.api.delete(
                DEPLOYMENTS, load.NAMESPACE, name, uid=uid_of(each), propagation="Background"
            )

    await asyncio.gather(*(remove() for _ in range(WRITERS)))
    await observer.until_count(load.NAMESPACE, 0, deadline=DEADLINE)


async def _make_namespace(api: MemberApi) -> None:
    body = encode(load.namespace(FLOOR_NAMESPACE))
    await api.apply(NAMESPACES, "", FLOOR_NAMESPACE, body)


async def _empty_namespace(api: MemberApi) -> None:
    listing = await api.list(DEPLOYMENTS, namespace=FLOOR_NAMESPACE)
    for each in listing.items:
        name = str(each["metadata"]["name"])
        await api.delete(
            DEPLOYMENTS, FLOOR_NAMESPACE, name, uid=uid_of(each), propagation="Background"
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
