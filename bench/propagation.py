"""How fast manifests reach members through Hanse, beside a plain client on the same members.

Latency: one Deployment at a time, from the request to the hub until all members hold it, as their
own watches say. Throughput: many at once, created, updated and deleted, until all members hold all
of them, or none. Catching up: a member was away meanwhile. The floor does the same to the same
members with plain asyncio requests, in the same run.
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

from bench import load
from bench.catch_up import catch_up
from bench.observer import DEPLOYMENTS, NAMESPACES, Observer, observe
from bench.processes import memory_mebibytes
from bench.verbs import VERBS, Ground, throughput
from hanse.local.federation import Federation, FederationSettings, start_federation
from hanse.membership.join import Place
from hanse.membership.join import join as join_member
from shared.apimachinery.manifest import GroupVersionKind, name_of, uid_of
from shared.memberapi.credentials import MemberCredentials, read_kubeconfig
from shared.memberapi.http import open_member
from shared.memberapi.port import MemberApi

DEADLINE = 300.0
# Controllers of a real cluster are held to tens of requests a second, on machines of their own.
_REST = {"HANSE_CONTROLLER_REST": "0.05"}
# Room for every pod of the load, so that no member is full.
_ROOMY = {"HANSE_NODE_PODS": "20000", "HANSE_NODE_CPU": "512", "HANSE_NODE_MEMORY": "2Ti"}


@dataclass(frozen=True, slots=True)
class Places:
    """The namespaces of one run, of its own in members that outlive it."""

    many: str
    one_by_one: str
    floor: str
    away: str

    @classmethod
    def of_run(cls) -> "Places":
        run = uuid.uuid4().hex[:6]
        name = f"bench-{run}"
        return cls(name, f"{name}-latency", f"{name}-floor", f"{name}-away")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--deployments", type=int, default=500, help="objects at once")
    parser.add_argument("--trials", type=int, default=100, help="objects one by one")
    parser.add_argument("--rounds", type=int, default=3, help="throughput runs; the median counts")
    parser.add_argument(
        "--catch-up",
        type=int,
        default=1000,
        metavar="N",
        help="objects that change while a simulated member is away; 0 leaves that out",
    )
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
    ]
    for verb in VERBS:
        lines += _verb_rows(verb, figures, "" if verb == "create" else f"{verb}_")
    if "catch_up_objects" in figures:
        lines.append(
            (
                f"caught up with {figures['catch_up_objects']} changes, objects/s",
                f"{figures['catch_up_objects_per_second']:.0f}",
                f"{figures['catch_up_floor_objects_per_second']:.0f}",
            )
        )
    lines += [
        (f"memory of {name} per 1,000 works", f"{size:.1f} MiB", "-")
        for name, size in figures["memory_mebibytes_per_1000_works"].items()
    ]
    lines += [
        (f"memory of {name}", f"{size} MiB", "-")
        for name, size in figures["memory_mebibytes"].items()
    ]
    return lines


def _verb_rows(verb: str, figures: Mapping[str, Any], prefix: str) -> list[tuple[str, str, str]]:
    spent = figures[f"{prefix}cpu_per_deployment"]
    return [
        (
            f"{verb}: objects/s of {figures['objects']}",
            f"{figures[f'{prefix}objects_per_second']:.0f}",
            f"{figures[f'{prefix}floor_objects_per_second']:.0f}",
        ),
        ("  ratio to the floor", f"{figures[f'{prefix}throughput_ratio']:.2f}", "1.00"),
        (
            "  CPU seconds per Deployment, all services",
            f"{figures[f'{prefix}cpu_seconds_per_deployment']:.4f}",
            "-",
        ),
        *((f"    of which {name}", f"{seconds:.4f}", "-") for name, seconds in spent.items()),
    ]


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
            ground = Ground(federation, observer, credentials, DEADLINE)
            figures |= await throughput(
                ground,
                places.many,
                places.floor,
                deployments=arguments.deployments,
                rounds=arguments.rounds,
            )
            if arguments.catch_up and not real:
                figures |= await catch_up(ground, places.away, objects=arguments.catch_up)
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


def _memory(federation: Federation) -> dict[str, float]:
    return {
        child.command.name: memory_mebibytes(child.pid)
        for child in federation.supervisor.children()
        if child.pid is not None
    }
