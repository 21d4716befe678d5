"""Emptying a member: traffic first, then replicas, and neither where the rest lacks room.

All of it is a taint on the Cluster, `cluster.hanse.dev/draining`. With NoSchedule nothing new comes
and traffic leaves; with NoExecute what runs there leaves too, each when its substitute runs. So a
drain that is broken off goes on when it is asked for again, and is undone by taking the taint away.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, TypeVar

import msgspec

from hanse.asking import answered
from hanse.membership.join import CLUSTERS
from hanse.questions import PLANS
from shared.api.binding import ResourceBinding
from shared.api.cluster import DRAINING_TAINT, Cluster, Taint
from shared.api.global_zone import GlobalZone
from shared.api.meta import API_VERSION, Kind, read, section
from shared.api.traffic_policy import TRAFFIC_POLICIES, TrafficPolicy
from shared.apimachinery.manifest import GroupVersionKind, Manifest
from shared.apimachinery.taints import tolerates
from shared.clock import Clock, SystemClock
from shared.errors import InvalidObject
from shared.events.planning import Plan, PlanRequest
from shared.memberapi.port import MemberApi, ResourceType

AnyKind = TypeVar("AnyKind", bound=Kind)
Outcome = Literal["Refused", "Remaining", "TrafficMoved", "Drained"]

_POLICIES = ResourceType(
    GroupVersionKind.parse(API_VERSION, "TrafficPolicy"), TRAFFIC_POLICIES, namespaced=True
)
_ZONES = ResourceType(
    GroupVersionKind.parse(API_VERSION, "GlobalZone"), "globalzones", namespaced=False
)
_BINDINGS = (
    ResourceType(
        GroupVersionKind.parse(API_VERSION, "ResourceBinding"), "resourcebindings", namespaced=True
    ),
    ResourceType(
        GroupVersionKind.parse(API_VERSION, "ClusterResourceBinding"),
        "clusterresourcebindings",
        namespaced=False,
    ),
)
_EVICTING = Taint(key=DRAINING_TAINT, effect="NoExecute")
_POLL_SECONDS = 0.5
_GRACE_MIN = timedelta(seconds=5)
_DEAD = ("Unreachable", "NoEndpoints", "NoWeight", "Drained")


class Drained(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What came of it.

    `alone` are services that nobody else could answer for; `staying` tolerates the taint, and
    `remaining` had not left when the time was over: objects, or policies whose traffic goes there.
    """

    cluster: str
    outcome: Outcome
    plan: Plan | None = None
    alone: tuple[str, ...] = ()
    staying: tuple[str, ...] = ()
    remaining: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainTerms:
    """`grace` None: as long as names are remembered; *force* goes on where the rest lacks room."""

    force: bool = False
    traffic_only: bool = False
    grace: timedelta | None = None
    timeout: timedelta = timedelta(minutes=10)


async def drain(
    hub: MemberApi, name: str, terms: DrainTerms, clock: Clock | None = None
) -> Drained:
    """Raise `InvalidObject` where there is no such member."""
    clock = clock or SystemClock()
    end = clock.monotonic() + terms.timeout.total_seconds()

    async def until(empty: Callable[[], Awaitable[Sequence[str]]]) -> tuple[str, ...]:
        while (left := await empty()) and clock.monotonic() < end:
            await clock.sleep(_POLL_SECONDS)
        return tuple(left)

    # 1. Ask what would become of it.
    plan, alone = await _foreseen(hub, name)
    if not terms.force and (plan.unplaced or plan.examined < plan.templates or alone):
        return Drained(cluster=name, outcome="Refused", plan=plan, alone=alone)
    # 2. Traffic: whoever nobody else can answer for keeps it, where that is wished.
    await _taint(hub, name, "NoSchedule")
    left = await until(lambda: _carrying(hub, name, alone))
    if left:
        return Drained(cluster=name, outcome="Remaining", plan=plan, alone=alone, remaining=left)
    grace = terms.grace if terms.grace is not None else await _remembered(hub)
    await clock.sleep(grace.total_seconds())
    if terms.traffic_only:
        return Drained(cluster=name, outcome="TrafficMoved", plan=plan, alone=alone)
    # 3. Replicas.
    await _taint(hub, name, "NoExecute")
    left = await until(lambda: _held(hub, name, tolerating=False))
    return Drained(
        cluster=name,
        outcome="Remaining" if left else "Drained",
        plan=plan,
        alone=alone,
        staying=tuple(await _held(hub, name, tolerating=True)),
        remaining=left,
    )


async def undo(hub: MemberApi, name: str) -> bool:
    """Take the taint away; False where there is none. Raises as `drain`."""
    cluster, _ = await _cluster(hub, name)
    kept = tuple(one for one in cluster.spec.taints if one.key != DRAINING_TAINT)
    if kept == cluster.spec.taints:
        return False
    await _write(hub, cluster, kept)
    return True


async def _cluster(hub: MemberApi, name: str) -> tuple[Cluster, Manifest]:
    found = await hub.get(CLUSTERS, "", name)
    if found is None:
        raise InvalidObject(f"{name} is not a member")
    return read(found, Cluster), found


async def _taint(hub: MemberApi, name: str, effect: Literal["NoSchedule", "NoExecute"]) -> None:
    cluster, _ = await _cluster(hub, name)
    taint = Taint(key=DRAINING_TAINT, effect=effect)
    drained = [one for one in cluster.spec.taints if one.key == DRAINING_TAINT]
    if any(one.effect in (effect, "NoExecute") for one in drained):
        return
    others = tuple(one for one in cluster.spec.taints if one.key != DRAINING_TAINT)
    await _write(hub, cluster, (*others, taint))


async def _write(hub: MemberApi, cluster: Cluster, taints: Sequence[Taint]) -> None:
    metadata = cluster.metadata
    # Whoever wrote the taints in between wins, and this one says so.
    known = {"resourceVersion": metadata.resource_version} if metadata.resource_version else {}
    patch = {"metadata": known, "spec": {"taints": section(taints)}}
    await hub.merge(CLUSTERS, "", metadata.name, patch)


async def _foreseen(hub: MemberApi, name: str) -> tuple[Plan, tuple[str, ...]]:
    """What the scheduler would do, and the services that nobody else answers for."""
    cluster, manifest = await _cluster(hub, name)
    others = [one for one in cluster.spec.taints if one.key != DRAINING_TAINT]
    spec = {**(manifest.get("spec") or {}), "taints": section((*others, _EVICTING))}
    labels = manifest["metadata"].get("labels")
    metadata = {"name": name, **({"labels": labels} if labels else {})}
    supposed = {
        "apiVersion": API_VERSION,
        "kind": "Cluster",
        "metadata": metadata,
        "spec": spec,
    }
    plan, policies = await asyncio.gather(
        answered(hub, PLANS, PlanRequest(objects=(supposed,)), Plan),
        _read_all(hub, _POLICIES, TrafficPolicy),
    )
    return plan, tuple(sorted(_full_name(one) for one in policies if _is_alone(one, name)))


def _is_alone(policy: TrafficPolicy, name: str) -> bool:
    clusters = policy.status.splits[0].clusters if policy.status.splits else ()
    has_some = any(one.name == name and one.share for one in clusters)
    return has_some and all(one.name == name or one.reason in _DEAD for one in clusters)


async def _carrying(hub: MemberApi, name: str, alone: Sequence[str]) -> list[str]:
    """Policies by which traffic still goes there, but for those that nobody else answers for."""
    return [
        f"trafficpolicy {_full_name(policy)}"
        for policy in await _read_all(hub, _POLICIES, TrafficPolicy)
        if _full_name(policy) not in alone
        and any(
            one.name == name and one.share
            for split in policy.status.splits
            for one in split.clusters
        )
    ]


async def _remembered(hub: MemberApi) -> timedelta:
    """How long the world remembers names that this federation answers for."""
    zones = await _read_all(hub, _ZONES, GlobalZone)
    seconds = max((zone.spec.ttl_seconds for zone in zones), default=0)
    return max(_GRACE_MIN, timedelta(seconds=seconds))


async def _held(hub: MemberApi, name: str, *, tolerating: bool) -> list[str]:
    """Objects that are there, or are leaving; those that tolerate being there, or the others."""
    found = []
    for kind in _BINDINGS:
        for binding in await _read_all(hub, kind, ResourceBinding):
            spec = binding.spec
            there = [one.name for one in spec.clusters if not one.required]
            leaving = [one.cluster for one in spec.evictions]
            tolerations = spec.placement.cluster_tolerations
            may_stay = any(tolerates(one, _EVICTING) for one in tolerations)
            if name in (*there, *leaving) and may_stay is tolerating:
                resource = spec.resource
                place = f"{resource.namespace}/" if resource.namespace else ""
                found.append(f"{resource.kind.lower()} {place}{resource.name}")
    return sorted(found)


async def _read_all(hub: MemberApi, kind: ResourceType, struct: type[AnyKind]) -> list[AnyKind]:
    return [read(one, struct) for one in (await hub.list(kind)).items]


def _full_name(policy: TrafficPolicy) -> str:
    return f"{policy.metadata.namespace}/{policy.metadata.name}"
