"""Ending a membership: the registration goes, whether or not the member still answers.

By default what runs in the member runs on, under nobody's care: it is the administrator's again.
What it had imported from other members goes before, since nobody renews it any more. Or the member
is emptied first: `spec.leaving` has the scheduler take its shares away, and dispatch and the worker
remove what was there. Either is waited for so long and no longer; a member that is gone, hangs or
refuses keeps nobody from leaving.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Literal

from hanse.membership.join import CLUSTERS
from shared.api.cluster import READY
from shared.api.meta import GROUP, VERSION
from shared.apimachinery.manifest import GroupVersionKind, Manifest, name_of, uid_of
from shared.clock import Clock, SystemClock
from shared.events.work import BY_TRAFFIC
from shared.memberapi.port import MemberApi, ResourceType

Objects = Literal["keep", "move", "remove"]
OBJECTS: tuple[Objects, ...] = ("keep", "move", "remove")
"""What becomes of what Hanse brought: it stays, goes once it runs elsewhere, or goes."""

_LEAVING = {"keep": "Keep", "move": "Move", "remove": "Remove"}
_IMPORTS_DEADLINE = timedelta(seconds=10)
"""For what it imported, where all else stays: each is a request or two."""
_WORKS = (
    ResourceType(GroupVersionKind(GROUP, VERSION, "Work"), "works", namespaced=True),
    ResourceType(GroupVersionKind(GROUP, VERSION, "ClusterWork"), "clusterworks", namespaced=False),
)
_POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Departure:
    """Whether there was such a member, and the works it still had when it left."""

    was_member: bool
    left_behind: tuple[str, ...] = ()


async def leave(
    hub: MemberApi,
    name: str,
    objects: Objects = "keep",
    *,
    deadline: timedelta = timedelta(seconds=60),
    clock: Clock | None = None,
) -> Departure:
    """Delete the `Cluster`, once it is empty or *deadline* is over. Never calls the member.

    With *objects* to be kept, empty of what it imported.
    """
    found = await hub.get(CLUSTERS, "", name)
    if found is None:
        return Departure(was_member=False)
    kept = objects == "keep"
    of_it = _imports_of if kept else _works_of
    left: tuple[str, ...] = ()
    # Of a member that does not answer nothing can be taken away: it only leaves.
    if not kept or (_answers(found) and await of_it(hub, name)):
        await hub.merge(CLUSTERS, "", name, {"spec": {"leaving": _LEAVING[objects]}})
        limit = min(deadline, _IMPORTS_DEADLINE) if kept else deadline
        left = await _until_empty(partial(of_it, hub, name), limit, clock or SystemClock())
    gone = await hub.delete(CLUSTERS, "", name, uid=uid_of(found), propagation="Background")
    return Departure(gone, left)


def _answers(cluster: Manifest) -> bool:
    conditions = (cluster.get("status") or {}).get("conditions") or ()
    return any((one["type"], one["status"]) == (READY, "True") for one in conditions)


async def _until_empty(
    look: Callable[[], Awaitable[tuple[str, ...]]], deadline: timedelta, clock: Clock
) -> tuple[str, ...]:
    end = clock.monotonic() + deadline.total_seconds()
    while (works := await look()) and clock.monotonic() < end:
        await clock.sleep(_POLL_SECONDS)
    return works


async def _imports_of(hub: MemberApi, name: str) -> tuple[str, ...]:
    return await _works_of(hub, name, BY_TRAFFIC)


async def _works_of(hub: MemberApi, name: str, source: str = "") -> tuple[str, ...]:
    """Those of which the uid of what they come from begins with *source*."""
    found: list[Manifest] = []
    for kind in _WORKS:
        found += (await hub.list(kind)).items
    mine = (one for one in found if one["spec"]["cluster"] == name)
    return tuple(
        sorted(name_of(one) for one in mine if one["spec"]["resource"]["uid"].startswith(source))
    )
