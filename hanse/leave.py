"""Ending a membership: the registration goes, whether or not the member still answers.

By default at once, and what runs in the member runs on, under nobody's care: it is the
administrator's again. Or the member is emptied first: `spec.leaving` has the scheduler take its
shares away, and dispatch and the worker remove what was there. That is waited for so long and no
longer; a member that is gone, hangs or refuses keeps nobody from leaving.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from hanse.join import CLUSTERS
from shared.api.meta import GROUP, VERSION
from shared.apimachinery.manifest import GroupVersionKind, Manifest, name_of, uid_of
from shared.clock import Clock, SystemClock
from shared.memberapi.port import MemberApi, ResourceType

Objects = Literal["keep", "move", "remove"]
OBJECTS: tuple[Objects, ...] = ("keep", "move", "remove")
"""What becomes of what Hanse brought: it stays, goes once it runs elsewhere, or goes."""

_LEAVING = {"move": "Move", "remove": "Remove"}
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
    """Delete the `Cluster`, once it is empty or *deadline* is over. Never calls the member."""
    found = await hub.get(CLUSTERS, "", name)
    if found is None:
        return Departure(was_member=False)
    left: tuple[str, ...] = ()
    if objects != "keep":
        await hub.merge(CLUSTERS, "", name, {"spec": {"leaving": _LEAVING[objects]}})
        left = await _until_empty(hub, name, deadline, clock or SystemClock())
    gone = await hub.delete(CLUSTERS, "", name, uid=uid_of(found), propagation="Background")
    return Departure(gone, left)


async def _until_empty(
    hub: MemberApi, name: str, deadline: timedelta, clock: Clock
) -> tuple[str, ...]:
    end = clock.monotonic() + deadline.total_seconds()
    while (works := await _works_of(hub, name)) and clock.monotonic() < end:
        await clock.sleep(_POLL_SECONDS)
    return works


async def _works_of(hub: MemberApi, name: str) -> tuple[str, ...]:
    found: list[Manifest] = []
    for kind in _WORKS:
        found += (await hub.list(kind)).items
    return tuple(sorted(name_of(one) for one in found if one["spec"]["cluster"] == name))
