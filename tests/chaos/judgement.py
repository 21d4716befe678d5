"""Whether every member holds what was asked for last: what is lost, doubled, orphaned.

The members are asked themselves. Of the hub it is asked what it decided, which must fit, and what
it shows to users, which must be true.
"""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hanse.demo import holdings
from hanse.demo.holdings import Held
from shared.api.meta import API_VERSION
from shared.apimachinery.manifest import GroupVersionKind, Manifest, labels_of, name_of
from shared.errors import RetryableError
from shared.memberapi.port import MemberApi, ResourceType
from tests.chaos.ground import Ground
from tests.chaos.load import DIVIDED, NAMESPACE, SPREAD, Load, content_of, spread_of

_DEPLOYMENT = GroupVersionKind("apps", "v1", "Deployment")
_PODS = ResourceType(GroupVersionKind("", "v1", "Pod"), "pods", namespaced=True)
_LOOK_SECONDS = 0.2
_TELL_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Judgement:
    lost: tuple[str, ...] = ()
    """Missing, older than the last change that was acknowledged, or not shown to users."""

    doubled: tuple[str, ...] = ()
    """More replicas than asked for, or more changes to an object than were made."""

    orphaned: tuple[str, ...] = ()
    """There though nobody wants it any more."""

    @property
    def holds(self) -> bool:
        return not (self.lost or self.doubled or self.orphaned)


async def until_whole(ground: Ground, load: Load, deadline: float) -> Judgement:
    """Look until the judgement holds, or *deadline* seconds are over; returns the last one."""
    found, told = Judgement(lost=("never looked",)), time.monotonic()
    try:
        async with asyncio.timeout(deadline):
            while not found.holds:
                try:
                    found = await judge(ground, load)
                except RetryableError as err:
                    found = Judgement(lost=(f"cannot look: {err}",))
                if not found.holds:
                    if time.monotonic() - told > _TELL_SECONDS:
                        told = time.monotonic()
                        print(f"  still: {found}", file=sys.stderr, flush=True)
                    await asyncio.sleep(_LOOK_SECONDS)
    except TimeoutError:
        pass
    return found


async def judge(ground: Ground, load: Load) -> Judgement:
    federation = ground.federation
    found = {
        held: manifest
        for held, manifest in (await holdings.read_fleet(federation.members)).items()
        # A namespace is emptied by the member's own controllers, if it has any.
        if not (held.kind == "Namespace" and manifest["metadata"].get("deletionTimestamp"))
    }
    bindings = await holdings.read_bindings(federation.hub)
    compared = holdings.difference(bindings, found, federation.members)
    works = await federation.hub.list(GroupVersionKind.parse(API_VERSION, "Work"))
    templates = await federation.hub.list(_DEPLOYMENT)
    pods = await _ready_pods(federation.members) if ground.runs_pods else None
    lost, doubled = list(compared.lost), []
    for name, wanted in load.wanted.items():
        copies = {
            held.cluster: manifest
            for held, manifest in found.items()
            if (held.kind, held.namespace, held.name) == (wanted["kind"], NAMESPACE, name)
        }
        lost += _out_of_date(name, wanted, copies)
        if spread_of(wanted) == DIVIDED:
            counts = {"replicas": sum(map(_replicas, copies.values()))}
            if pods is not None:
                counts["ready pods"] = pods[name]
            for what, count in counts.items():
                if count != _replicas(wanted):
                    into = lost if count < _replicas(wanted) else doubled
                    into.append(f"{name}: {count} {what} for {_replicas(wanted)}")
        else:
            lost += [f"{name} in {cluster}" for cluster in federation.members.keys() - copies]
            doubled += _changed_too_often(name, copies, load.edits[name])
    if pods is not None:
        lost += _untold(load.wanted, templates, len(federation.members))
    orphaned = [*compared.orphans, *_unwanted(load.wanted, found, works)]
    return Judgement(tuple(lost), tuple(doubled), tuple(orphaned))


def _out_of_date(name: str, wanted: Manifest, copies: Mapping[str, Manifest]) -> list[str]:
    return [
        f"{name} in {cluster} is older"
        for cluster, copy in copies.items()
        if content_of(copy) != content_of(wanted)
    ]


def _changed_too_often(name: str, copies: Mapping[str, Manifest], edits: int) -> list[str]:
    generations = {
        cluster: copy["metadata"].get("generation", 1) for cluster, copy in copies.items()
    }
    return [
        f"{name} in {cluster} was changed {generation} times, and {edits} times by its owner"
        for cluster, generation in generations.items()
        if generation > edits
    ]


def _untold(
    wanted: Mapping[str, Manifest], templates: Sequence[Manifest], members: int
) -> list[str]:
    """What the hub shows to users that is not so."""
    untold = []
    for template in templates:
        name, status = name_of(template), template.get("status") or {}
        if name not in wanted:
            continue
        copies = 1 if spread_of(wanted[name]) == DIVIDED else members
        ready, asked = status.get("readyReplicas", 0), _replicas(wanted[name]) * copies
        if ready != asked:
            untold.append(f"{name}: the hub shows {ready} of {asked} ready")
        elif status.get("observedGeneration") != template["metadata"]["generation"]:
            untold.append(f"{name}: the hub shows the status of an older generation")
    return untold


def _unwanted(
    wanted: Mapping[str, Manifest], found: Mapping[Held, Manifest], works: Sequence[Manifest]
) -> list[str]:
    """What nobody asked for, and orders about what nobody asks for any more."""
    held = [str(held) for held in found if held.kind != "Namespace" and held.name not in wanted]
    # A removal that is done is shown no more.
    ordered = [
        f"{name_of(work)}, an order{' to remove' if work['spec'].get('deleted') else ''}"
        for work in works
        if work["spec"]["resource"]["name"] not in wanted
    ]
    return held + ordered


async def _ready_pods(members: Mapping[str, MemberApi]) -> Counter[str]:
    """How many ready pods each divided workload has in all members together."""
    listings = await asyncio.gather(
        *(api.list(_PODS, label_selector=f"{SPREAD}={DIVIDED}") for api in members.values())
    )
    return Counter(
        labels_of(pod)["app"]
        for listing in listings
        for pod in listing.items
        if holdings.is_ready(pod)
    )


def _replicas(manifest: Manifest) -> int:
    return int(manifest["spec"]["replicas"])
