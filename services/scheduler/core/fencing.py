"""What must not run in two members: who is known to have stopped, and who waits for that.

Known to have stopped is a member whose lease was revoked after the share was given, one that has
said so since it was asked, and one that is no longer of the fleet, by an administrator's word. Mere
silence proves nothing: then what runs there stays.
"""

from collections.abc import Iterable, Mapping

import msgspec

from services.scheduler.core.fleet import Fleet
from services.scheduler.core.member import Member
from services.scheduler.core.workload import Workload
from shared.api.binding import Eviction, TargetCluster
from shared.api.cluster import UNREACHABLE_TAINT
from shared.interpreter.reflect import GENERATION

SILENT_HOLDER = "it is silent, and its lease is not over: what is fenced may run there yet"
SILENT_PUSHED = (
    "it is silent, and no propagator beside it could have stopped what is fenced: it stays"
)
SILENT_UNSTOPPABLE = "it is silent, and nothing there could have stopped what has no replicas"


def lost_its_lease(workload: Workload, fence: int, member: Member) -> bool:
    """Whether *member* stopped what was to run there under term *fence*, as nobody renewed it."""
    return workload.stoppable and member.pulled and 0 < fence < member.fence_term


def why_it_stays(workload: Workload, target: TargetCluster, member: Member, taint: str) -> str:
    """Why a share stays in a member in spite of *taint*; "" where it need not."""
    if not workload.fenced or taint != UNREACHABLE_TAINT:
        return ""
    if lost_its_lease(workload, target.fence, member):
        return ""
    if not workload.stoppable:
        return SILENT_UNSTOPPABLE
    return SILENT_HOLDER if member.pulled and target.fence else SILENT_PUSHED


def awaited(workload: Workload, fleet: Fleet, leaving: Iterable[Eviction]) -> Mapping[str, str]:
    """Those of *leaving* that may run yet, and what is waited for: until then nothing grows."""
    if not workload.fenced:
        return {}
    return {
        one.cluster: "it has not said yet that what is fenced has stopped"
        for one in leaving
        if fleet.holds(one.cluster)
        and not lost_its_lease(workload, one.fence, fleet.members[one.cluster])
        and not _has_stopped(workload, one)
    }


def _has_stopped(workload: Workload, eviction: Eviction) -> bool:
    """Whether the member, asked since the share is to leave, said that nothing of it is left."""
    for report in workload.reports:
        if report.cluster != eviction.cluster or report.since != eviction.since:
            continue
        status = report.status
        seen, last = status.get("observedGeneration"), status.get(GENERATION)
        looked = isinstance(seen, int) and isinstance(last, int) and seen >= last
        return report.applied and looked and not status.get("replicas")
    return False


def ungrown(workload: Workload, desired: Mapping[str, int | None]) -> dict[str, int | None]:
    """Return *desired* without what is more than there is."""
    found: dict[str, int | None] = {}
    for one in workload.current:
        if one.name in desired:
            wanted = desired[one.name]
            found[one.name] = (
                one.replicas
                if wanted is None or one.replicas is None
                else min(wanted, one.replicas)
            )
    return found


def with_terms(
    workload: Workload, fleet: Fleet, targets: tuple[TargetCluster, ...]
) -> tuple[TargetCluster, ...]:
    """Say under which term of its lease each target runs the workload.

    A term that is over stays until its member holds the lease again: by it one can tell that the
    share has stopped.
    """
    if not workload.fenced:
        return targets
    before = {one.name: one.fence for one in workload.current}
    return tuple(
        msgspec.structs.replace(one, fence=_term(workload, fleet, one.name, before))
        for one in targets
    )


def _term(workload: Workload, fleet: Fleet, name: str, before: Mapping[str, int]) -> int:
    member = fleet.members.get(name)
    if member is None or not (workload.stoppable and member.pulled):
        return 0
    return member.fence_term if member.fence_held else before.get(name, 0)
