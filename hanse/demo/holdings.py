"""What the members really hold, read from their own APIs, against what was decided.

Hanse's own word (bindings) is only the expectation; every answer here comes from a member.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from hanse.hub import Hub
from shared.api.binding import ResourceBinding
from shared.api.meta import API_VERSION, read
from shared.apimachinery.manifest import (
    GroupVersionKind,
    Manifest,
    annotations_of,
    name_of,
    namespace_of,
)
from shared.memberapi.port import MemberApi, ResourceType

MANAGED = "hanse.dev/managed=true"
# A Service's labels are copied to its Endpoints by the member itself; this is not.
MARK = "hanse.dev/template-uid"
_BINDINGS = ("ResourceBinding", "ClusterResourceBinding")


@dataclass(frozen=True, slots=True, order=True)
class Held:
    """One object in one member, whichever version of its kind it is read in."""

    cluster: str
    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        path = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.kind} {path} in {self.cluster}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is missing or different, and what is there beside it."""

    lost: tuple[str, ...]
    orphans: tuple[str, ...]
    objects: int

    @property
    def holds(self) -> bool:
        return not self.lost and not self.orphans

    def problems(self) -> list[str]:
        return [f"missing: {what}" for what in self.lost] + [
            f"not decided: {what}" for what in self.orphans
        ]


async def read_bindings(hub: Hub) -> list[ResourceBinding]:
    found: list[ResourceBinding] = []
    for kind in _BINDINGS:
        manifests = await hub.list(GroupVersionKind.parse(API_VERSION, kind))
        found.extend(read(manifest, ResourceBinding) for manifest in manifests)
    return found


async def read_member(
    cluster: str, api: MemberApi, kinds: Sequence[ResourceType]
) -> dict[Held, Manifest]:
    """Every object of *kinds* that carries Hanse's mark in one member."""
    # One version shows the objects of all.
    kinds = list({(kind.gvk.group, kind.resource): kind for kind in kinds}.values())
    listings = await asyncio.gather(*(api.list(kind, label_selector=MANAGED) for kind in kinds))
    return {
        Held(cluster, kind.gvk.group, kind.gvk.kind, namespace_of(item), name_of(item)): item
        for kind, listing in zip(kinds, listings, strict=True)
        for item in listing.items
        if MARK in annotations_of(item)
    }


async def compare(hub: Hub, members: Mapping[str, MemberApi]) -> Comparison:
    """Compare decisions with all that *members* (those that can be asked) hold of any kind."""
    bindings = await read_bindings(hub)
    return difference(bindings, await read_fleet(members), members)


def difference(
    bindings: Sequence[ResourceBinding], found: Mapping[Held, Manifest], members: Collection[str]
) -> Comparison:
    """Compare decisions about *members* with what was *found* in them."""
    expected: dict[Held, int | None] = {}
    for binding in bindings:
        resource = binding.spec.resource
        for target in binding.spec.clusters:
            if target.name in members:
                held = Held(
                    target.name,
                    resource.key.group,
                    resource.kind,
                    resource.namespace,
                    resource.name,
                )
                expected[held] = target.replicas
    lost = [str(held) for held in sorted(expected) if held not in found]
    lost += [
        f"{held}: {_replicas(found[held])} of {replicas} replicas asked for"
        for held, replicas in expected.items()
        if replicas is not None and held in found and _replicas(found[held]) != replicas
    ]
    spaces = {(held.cluster, held.namespace) for held in expected}
    orphans = [
        str(held)
        for held in sorted(found)
        if held not in expected
        # A namespace is there for what lives in it, with or without a decision of its own.
        and not (held.kind == "Namespace" and (held.cluster, held.name) in spaces)
    ]
    return Comparison(tuple(lost), tuple(orphans), len(found))


async def read_fleet(members: Mapping[str, MemberApi]) -> dict[Held, Manifest]:
    found: dict[Held, Manifest] = {}
    for name, api in members.items():
        found |= await read_member(name, api, await api.discover())
    return found


def _replicas(manifest: Manifest) -> int | None:
    spec = manifest.get("spec") or {}
    count = spec.get("replicas", spec.get("parallelism"))
    return int(count) if count is not None else None


async def ready_pods(members: Mapping[str, MemberApi], selector: str) -> dict[str, int]:
    """Count the running, ready pods that match *selector* in each member."""
    pods = ResourceType(GroupVersionKind("", "v1", "Pod"), "pods", namespaced=True)
    listings = await asyncio.gather(
        *(api.list(pods, label_selector=selector) for api in members.values())
    )
    return {
        name: sum(is_ready(pod) for pod in listing.items)
        for name, listing in zip(members, listings, strict=True)
    }


def is_ready(pod: Manifest) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
