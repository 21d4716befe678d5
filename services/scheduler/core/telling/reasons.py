"""Why a decision was taken now and how members were liked: what is told beside its verdicts.

Worked out only for decisions that are told, and only what is not trivial.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from services.scheduler.core.change.restraint import UNFORCED, is_moving
from services.scheduler.core.decision import Decision, RejectionCode
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.scores import score_unit, scores_of
from services.scheduler.core.signals.scoring import parts_of
from services.scheduler.core.signals.weighing import signal_of
from services.scheduler.core.workload import Workload
from shared.api.binding import BindingSpec
from shared.events.placement import RejectedGroup, ScorePart

REJECTED_MAX = 100
"""Clusters that a fact names one by one."""

_NAMES_MAX = 5_000
_PLAIN_SCORE = 1
# Those that were not ruled out, and were therefore compared with others.
_COMPARED = frozenset(
    {
        RejectionCode.SPREAD_CONSTRAINT,
        RejectionCode.NO_REPLICA_LEFT,
        RejectionCode.NO_ROOM,
        RejectionCode.QUOTA,
    }
)


@dataclass(frozen=True, slots=True)
class Trigger:
    """A word for programs and a clause for people; empty where it is not known."""

    code: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Basis:
    """*revision* is that of the store up to which everything that was decided on is known."""

    trigger: Trigger = Trigger()
    scores: Mapping[str, int] = field(default_factory=dict)
    revision: int = 0
    parts: Mapping[str, tuple[ScorePart, ...]] = field(default_factory=dict)
    unheard: Mapping[str, str] = field(default_factory=dict)


def trigger_of(before: BindingSpec | None, after: BindingSpec) -> Trigger:
    """Say what has changed since the last decision, the first of what may have led to another."""
    if before is None or before.resource.uid != after.resource.uid:
        return Trigger("Created", "it is new, or newly selected by a policy")
    if before.resource.generation != after.resource.generation:
        scaled = before.replicas != after.replicas
        how = f": {_count(before.replicas)} replicas before" if scaled else ""
        return Trigger("TemplateChanged", f"its template changed{how}")
    if before.policy != after.policy:
        old, new = before.policy, after.policy
        same = (old.kind, old.namespace, old.name) == (new.kind, new.namespace, new.name)
        what = "changed" if same else "speaks for it now"
        return Trigger("PolicyChanged", f"policy {new.name or 'none'} {what}")
    if before.required_by != after.required_by:
        return Trigger("UsersChanged", "what needs it, or where that is, changed")
    if before.reschedule_triggered_at != after.reschedule_triggered_at:
        return Trigger("Rebalanced", "a WorkloadRebalancer had it placed anew")
    if after.rebalancing and not before.rebalancing:
        return Trigger("ScoresChanged", "it scores better elsewhere by as much as its policy says")
    stood = {(one.cluster, one.since) for one in before.ceilings}
    for one in after.ceilings:
        if (one.cluster, one.since) not in stood:
            return Trigger(one.reason, f"{one.cluster}: {one.message}")
    if before.preempting and len(after.preempting) < len(before.preempting):
        return Trigger("GaveWay", "others have given way to it")
    known = {one.cluster for one in before.evictions}
    leaving = [one for one in after.evictions if one.cluster not in known]
    moves = is_moving(before) or before.rebalancing
    if leaving and not (moves and all(one.reason in UNFORCED for one in leaving)):
        names = ", ".join(one.cluster for one in leaving)
        return Trigger("ClusterChanged", f"{names}: {leaving[0].message}")
    if moves and (leaving or len(after.evictions) < len(before.evictions) or not is_moving(after)):
        return Trigger("MoveWentOn", "what was moving has gone on")
    return Trigger("FleetChanged", "the clusters, or their room, changed")


def _count(replicas: int | None) -> str:
    return "no" if replicas is None else str(replicas)


def basis_of(
    workload: Workload, fleet: Fleet, decision: Decision, trigger: Trigger, revision: int
) -> Basis:
    """Put together what is told beside the verdicts of a decision."""
    about = workload.circumstances
    together = about.together if about is not None else None
    if together is not None and together.note in decision.notes:
        trigger = Trigger(trigger.code, f"{trigger.message}: {together.note}")
    return Basis(
        trigger,
        telling_scores(workload, fleet, decision),
        revision,
        telling_parts(workload, fleet, decision),
        workload.opinions.failed,
    )


def telling_scores(workload: Workload, fleet: Fleet, decision: Decision) -> Mapping[str, int]:
    """Return the scores of members that were compared, where not all are liked alike."""
    scores, unit = scores_of(workload, fleet), score_unit(workload)
    found = {
        name: scores[name] if unit == 1 else round(scores[name] / unit)
        for name in _compared(decision)
        if name in scores
    }
    return found if any(score != _PLAIN_SCORE for score in found.values()) else {}


def telling_parts(
    workload: Workload, fleet: Fleet, decision: Decision
) -> Mapping[str, tuple[ScorePart, ...]]:
    """Return what scores are made of, and shares weighed by, where signals have a part in it."""
    placement = workload.placement
    if not (placement.scores or placement.plugins or signal_of(placement)):
        return {}
    names = [name for name in _compared(decision) if name in fleet.members]
    parts = parts_of(workload, fleet, names[:REJECTED_MAX])
    return {
        name: tuple(
            ScorePart(
                name=one.name,
                points=one.points,
                weight=one.weight,
                value=one.value,
                expired=one.expired,
            )
            for one in parts[name]
        )
        for name in parts
        if parts[name]
    }


def _compared(decision: Decision) -> list[str]:
    """Name those that take part, and those that could have."""
    found = [one.name for one in decision.clusters]
    return found + [name for name, why in decision.rejections.items() if why.code in _COMPARED]


def rejected_groups(decision: Decision) -> Sequence[RejectedGroup]:
    """Put members together that are out for the same reason, each named once."""
    groups: dict[tuple[str, str], list[str]] = {}
    for name, why in sorted(decision.rejections.items()):
        groups.setdefault((str(why.code), why.message), []).append(name)
    left, found = _NAMES_MAX, []
    for (code, message), names in groups.items():
        shown = tuple(names[:left])
        left -= len(shown)
        found.append(RejectedGroup(code=code, message=message, count=len(names), clusters=shown))
    return found
