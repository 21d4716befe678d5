"""In a plan: what would be placed together, as it comes at once or if that were asked for now."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from services.scheduler.cache.reading import Bound
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.policies import policy_key, reference_to
from services.scheduler.core.signals.values import Signals
from services.scheduler.core.together.problem import Placing, Shares, takes_part
from services.scheduler.core.workload import Workload
from services.scheduler.deciding.deciding import Deciding
from services.scheduler.deciding.proposing import place_together
from services.scheduler.deciding.together import by_itself
from shared.api.placement import Optimise
from shared.api.policy import PropagationPolicy
from shared.apimachinery.manifest import Manifest, ObjectKey


class Selected(NamedTuple):
    """A template, the policy that would speak for it, and how it is bound today."""

    key: ObjectKey
    template: Manifest
    policy: PropagationPolicy | None
    bound: Bound | None


async def goals_together(
    templates: Iterable[Selected],
    deciding: Deciding,
    fleet: Fleet,
    signals: Signals,
    now: datetime,
    *,
    everything: bool,
) -> tuple[Placing, Sequence[str]]:
    """Place together what is new under each policy that says so, or *everything* under it.

    Returns the goals, and for each policy what came of it.
    """
    sets: dict[ObjectKey, tuple[Optimise, list[Workload]]] = {}
    for key, template, policy, bound in templates:
        rules = policy.spec.placement.optimise if policy is not None else None
        if policy is None or rules is None:
            continue
        if not everything and (bound is not None or not rules.gather_seconds):
            continue
        workload, refused = deciding.workload(key, template, policy, bound)
        if not refused and takes_part(workload):
            at = policy_key(reference_to(policy))
            sets.setdefault(at, (rules, []))[1].append(by_itself(workload))
    goals: dict[ObjectKey, Shares] = {}
    said = []
    for at, (rules, workloads) in sets.items():
        chosen = await place_together(workloads, fleet, rules, signals, now)
        goals |= chosen.goals
        said += [f"policy {at.name}: {chosen.note}"] if chosen.note else []
    return goals, said
