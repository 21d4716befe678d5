"""Many objects at once, created, updated and deleted: through Hanse, and straight at the members.

Each round does all three to the same objects, first the floor, then Hanse, so that whatever else
the machine does strikes both.
"""

import asyncio
import statistics
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from bench import load, plain_client
from bench.observer import DEPLOYMENTS, NAMESPACES, Observer
from bench.processes import cpu_seconds, memory_mebibytes
from hanse.local.federation import SERVICES, Federation
from shared.apimachinery.manifest import encode, uid_of
from shared.errors import RetryableError
from shared.memberapi.credentials import MemberCredentials
from shared.memberapi.port import MemberApi

VERBS = ("create", "update", "delete")
# Requests to the hub under way at once.
WRITERS = 32
_AGAIN_SECONDS = 0.1
_REST_SECONDS_MAX = 30
# What all processes together use in a second while nothing is asked of them, and a little more.
_IDLE_SECONDS = 0.2
_KEEPERS = ("nats", "propagator")

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Ground:
    """What is measured, and by whose eyes; *deadline* in seconds for each step."""

    federation: Federation
    observer: Observer
    credentials: list[MemberCredentials]
    deadline: float


@dataclass(slots=True)
class Samples:
    """Of one verb: objects per second of Hanse and of the floor; CPU seconds per Deployment.

    Processor time counts until all has come to rest: reports, statuses, the ends of removals.
    """

    ours: list[float] = field(default_factory=list)
    floors: list[float] = field(default_factory=list)
    cpu: list[dict[str, float]] = field(default_factory=list)

    def figures(self, prefix: str) -> dict[str, Any]:
        rate, floor = statistics.median(self.ours), statistics.median(self.floors)
        spent = {
            name: round(statistics.median(one[name] for one in self.cpu), 5) for name in self.cpu[0]
        }
        return {
            f"{prefix}objects_per_second": round(rate, 1),
            f"{prefix}floor_objects_per_second": round(floor, 1),
            f"{prefix}throughput_ratio": round(rate / floor, 3),
            f"{prefix}cpu_per_deployment": spent,
            f"{prefix}cpu_seconds_per_deployment": round(sum(spent.values()), 5),
        }


async def throughput(
    ground: Ground, ours: str, floor: str, *, deployments: int, rounds: int
) -> dict[str, Any]:
    """Measure in namespaces *ours* and *floor*; figures of creating bear no prefix."""
    samples = {verb: Samples() for verb in VERBS}
    kept: list[dict[str, float]] = []
    for _ in range(rounds):
        await _each(ground, lambda api: _make_namespace(api, floor))
        before = _memory(ground.federation)
        for verb in VERBS:
            found = samples[verb]
            edition = "2" if verb == "update" else "1"
            count = deployments * len(ground.federation.members)
            bodies = load.encoded_deployments(deployments, namespace=floor, edition=edition)
            found.floors.append(count / await _straight(ground, verb, floor, bodies))
            # Members go on rolling out what the one gave them: the other is not to wait for that.
            await _come_to_rest(ground.federation)
            bodies = load.encoded_deployments(deployments, namespace=ours, edition=edition)
            spent = _cpu(ground.federation)
            found.ours.append(count / await _through_hanse(ground, verb, ours, bodies, edition))
            await _come_to_rest(ground.federation)
            now = _cpu(ground.federation)
            found.cpu.append({name: (now[name] - spent[name]) / deployments for name in spent})
            if verb == "update":
                after = _memory(ground.federation)
                kept.append({name: (after[name] - before[name]) / count for name in after})
    figures: dict[str, Any] = {"objects": deployments * len(ground.federation.members)}
    for verb in VERBS:
        figures |= samples[verb].figures("" if verb == "create" else f"{verb}_")
    # The first round alone: later ones find room that was made before.
    figures["memory_mebibytes_per_1000_works"] = {
        name: round(size * 1000, 2) for name, size in kept[0].items()
    }
    return figures


async def _straight(
    ground: Ground, verb: str, namespace: str, bodies: Mapping[str, bytes]
) -> float:
    if verb == "delete":
        seconds = await plain_client.delete_all(ground.credentials, namespace, bodies)
        await ground.observer.until_count(namespace, 0, deadline=ground.deadline)
        return seconds
    return await plain_client.apply_all(ground.credentials, namespace, bodies)


async def _through_hanse(
    ground: Ground, verb: str, namespace: str, bodies: Mapping[str, bytes], edition: str
) -> float:
    hub, loop = ground.federation.hub.api, asyncio.get_running_loop()
    if verb == "delete":
        listing = await hub.list(DEPLOYMENTS, namespace=namespace)
        uids = {str(each["metadata"]["name"]): uid_of(each) for each in listing.items}
        started = loop.time()
        await remove(hub, namespace, uids)
        await ground.observer.until_count(namespace, 0, deadline=ground.deadline)
        return loop.time() - started
    started = loop.time()
    await write(hub, namespace, bodies)
    wanted = len(bodies) * len(ground.federation.members)
    await ground.observer.until_count(namespace, wanted, deadline=ground.deadline, edition=edition)
    return loop.time() - started


async def write(hub: MemberApi, namespace: str, bodies: Mapping[str, bytes]) -> None:
    """Apply *bodies* to the hub, many at once."""

    async def apply(item: tuple[str, bytes]) -> None:
        await hub.apply_encoded(DEPLOYMENTS, namespace, item[0], item[1])

    await by_writers(bodies.items(), apply)


async def remove(hub: MemberApi, namespace: str, uids: Mapping[str, str]) -> None:
    """Delete from the hub, many at once."""

    async def delete(item: tuple[str, str]) -> None:
        name, uid = item
        await hub.delete(DEPLOYMENTS, namespace, name, uid=uid, propagation="Background")

    await by_writers(uids.items(), delete)


async def by_writers(items: Iterable[Item], work: Callable[[Item], Awaitable[None]]) -> None:
    """Do *work* for each item, many at once; what may be tried again is, and costs its time."""
    waiting = iter(items)

    async def take() -> None:
        for item in waiting:
            while True:
                try:
                    await work(item)
                    break
                except RetryableError:
                    await asyncio.sleep(_AGAIN_SECONDS)

    await asyncio.gather(*(take() for _ in range(WRITERS)))


async def _make_namespace(api: MemberApi, namespace: str) -> None:
    await api.apply(NAMESPACES, "", namespace, encode(load.namespace(namespace)))


async def _each(ground: Ground, work: Callable[[MemberApi], Awaitable[None]]) -> None:
    await asyncio.gather(*(work(api) for api in ground.federation.members.values()))


async def _come_to_rest(federation: Federation) -> None:
    """Wait for what follows, in services and simulated members, once members hold all."""
    before = _cpu_of_all(federation)
    for _ in range(_REST_SECONDS_MAX):
        await asyncio.sleep(1)
        now = _cpu_of_all(federation)
        if now - before < _IDLE_SECONDS:
            return
        before = now


def _cpu_of_all(federation: Federation) -> float:
    children = federation.supervisor.children()
    return sum(cpu_seconds(child.pid) for child in children if child.pid is not None)


def _cpu(federation: Federation) -> dict[str, float]:
    """Processor time of Hanse's services and NATS; the members' own is not counted."""
    return {name: cpu_seconds(pid) for name, pid in _pids(federation, ("nats", *SERVICES))}


def _memory(federation: Federation) -> dict[str, float]:
    """Of those who keep works."""
    return {name: memory_mebibytes(pid) for name, pid in _pids(federation, _KEEPERS)}


def _pids(federation: Federation, names: Iterable[str]) -> list[tuple[str, int]]:
    pids = ((name, federation.supervisor.child(name).pid) for name in names)
    return [(name, pid) for name, pid in pids if pid is not None]
