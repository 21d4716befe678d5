"""Why a member cannot run something: one function per reason.

Each takes the workload and the member and answers a `Rejection` or None. A member that holds the
workload already is judged by `moves.py` instead: to stay is easier than to come.
"""

from collections.abc import Callable

import msgspec

from services.scheduler.core.affinity import Reach
from services.scheduler.core.by_reason import ByReason
from services.scheduler.core.decision import Rejection, RejectionCode
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.member import Member
from services.scheduler.core.workload import NOBODY, Workload
from shared.apimachinery.taints import NO_EXECUTE, NO_SCHEDULE, tolerates

Filter = Callable[[Workload, Member, Fleet, Reach], Rejection | None]

_encode = msgspec.json.Encoder().encode


def joined(_workload: Workload, member: Member, _fleet: Fleet, _reach: Reach) -> Rejection | None:
    if not member.readable:
        return Rejection(RejectionCode.UNREADABLE, "its Cluster object cannot be read")
    if member.leaving:
        return Rejection(RejectionCode.LEAVING, "it is leaving the federation")
    if not member.joined:
        return Rejection(RejectionCode.NOT_JOINED, "it has not joined yet")
    return None


def in_scope(workload: Workload, member: Member, fleet: Fleet, _reach: Reach) -> Rejection | None:
    """Let a namespace that is bound to groups see their clusters only."""
    groups = fleet.scopes.get(workload.scope)
    if groups is None or member.groups & groups:
        return None
    names = " or ".join(sorted(groups))
    return Rejection(
        RejectionCode.NAMESPACE_SCOPE,
        f"namespace {workload.scope} is bound to group {names}, which it is not in",
    )


def covered_by_affinity(
    _workload: Workload, member: Member, fleet: Fleet, reach: Reach
) -> Rejection | None:
    if any(member.name in fleet.covered_by(tier) for tier in reach.tiers):
        return None
    within = f" in group {reach.name}" if reach.name else ""
    return Rejection(
        RejectionCode.CLUSTER_AFFINITY, f"the policy's cluster affinity{within} does not cover it"
    )


def with_friends(
    workload: Workload, member: Member, _fleet: Fleet, _reach: Reach
) -> Rejection | None:
    """Follow the workloads to be with, where any of them is placed."""
    friends = workload.company.friends
    if friends is None or member.name in friends:
        return None
    return Rejection(
        RejectionCode.WORKLOAD_AFFINITY, "no workload that this one is to be with is there"
    )


def without_foes(
    workload: Workload, member: Member, _fleet: Fleet, _reach: Reach
) -> Rejection | None:
    if member.name not in workload.company.foes:
        return None
    return Rejection(
        RejectionCode.WORKLOAD_ANTI_AFFINITY, "a workload that this one keeps away from is there"
    )


def taints_tolerated(
    workload: Workload, member: Member, _fleet: Fleet, _reach: Reach
) -> Rejection | None:
    """Come only where it may stay: a NoExecute taint must be tolerated without a term."""
    for taint in member.taints:
        if taint.effect not in (NO_SCHEDULE, NO_EXECUTE):
            continue
        spoken = [one for one in workload.tolerations if tolerates(one, taint)]
        for_good = all(one.toleration_seconds is None for one in spoken)
        if not spoken or (taint.effect == NO_EXECUTE and not for_good):
            value = f"={taint.value}" if taint.value else ""
            return Rejection(
                RejectionCode.TAINT_TOLERATION,
                f"its taint {taint.key}{value}:{taint.effect} is not tolerated",
            )
    return None


def ready(_workload: Workload, member: Member, _fleet: Fleet, _reach: Reach) -> Rejection | None:
    return None if member.ready else Rejection(RejectionCode.NOT_READY, "it is not ready")


def kind_served(
    workload: Workload, member: Member, fleet: Fleet, _reach: Reach
) -> Rejection | None:
    """Allow a member whose kinds are unknown, and one that a definition of the kind is going to."""
    gvk = workload.gvk
    if member.serves is None or (gvk.api_version, gvk.kind) in member.serves:
        return None
    if member.name in fleet.arriving.get((gvk.group, gvk.kind), ()):
        return None
    return Rejection(
        RejectionCode.API_ENABLEMENT, f"it does not serve {gvk.api_version} {gvk.kind}"
    )


# In order of what a person would want to hear first.
FILTERS: tuple[Filter, ...] = (
    joined,
    in_scope,
    covered_by_affinity,
    taints_tolerated,
    ready,
    kind_served,
    with_friends,
    without_foes,
)


def filter_members(
    workload: Workload, fleet: Fleet, reach: Reach
) -> tuple[tuple[str, ...], ByReason[Rejection]]:
    """Part the fleet into who may take the workload and why the others may not.

    Depends on the reach, the tolerations, the kind and, where such rules are, the namespace and
    the company only, so that workloads under one policy share the work.
    """

    def part() -> tuple[tuple[str, ...], ByReason[Rejection]]:
        feasible, rejections = [], {}
        for name, member in fleet.members.items():
            rejection = first_rejection(workload, member, fleet, reach)
            if rejection is None:
                feasible.append(name)
            else:
                rejections[name] = rejection
        return tuple(feasible), ByReason.of(fleet.roll, rejections)

    rules = _encode((reach.tiers, workload.tolerations))
    scope = workload.scope if workload.scope in fleet.scopes else ""
    company = None if workload.company is NOBODY else workload.company
    return fleet.remember(("filtered", rules, workload.gvk, scope, company), part)


def first_rejection(
    workload: Workload, member: Member, fleet: Fleet, reach: Reach
) -> Rejection | None:
    for check in FILTERS:
        if (rejection := check(workload, member, fleet, reach)) is not None:
            return rejection
    return None
