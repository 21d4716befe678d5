"""What everything costs that a plan looks at, by the prices of today and those supposed."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from services.scheduler.core.fleet import Fleet
from services.scheduler.core.room import ask_of
from services.scheduler.core.signals.values import Signals
from services.scheduler.core.telling.costing import NOTHING, cost_of_shares
from shared.apimachinery.manifest import GroupVersionKind, Manifest
from shared.errors import InvalidObject
from shared.events.planning import Plan
from shared.interpreter.demand import pod_choice, pod_requests, template_choice, template_requests
from shared.interpreter.replicas import ReplicaDemand


@dataclass(frozen=True, slots=True)
class Shares:
    """Replicas by cluster, before and after; of what has none the pods that it makes there."""

    demand: ReplicaDemand | None
    before: Mapping[str, int]
    after: Mapping[str, int]


class Costs:
    """What everything costs, by the prices of *today* and those that are *supposed*."""

    def __init__(self, today: Signals, supposed: Signals) -> None:
        self.today = today
        self.supposed = supposed
        self._before = self._after = NOTHING

    def note(self, shares: Shares) -> tuple[float, float]:
        """Add the shares of one workload; returns what they cost, before and after."""
        paid = cost_of_shares(shares.demand, shares.before, self.today)
        to_pay = cost_of_shares(shares.demand, shares.after, self.supposed)
        self._before, self._after = self._before.beside(paid), self._after.beside(to_pay)
        return _rounded(paid.per_hour), _rounded(to_pay.per_hour)

    def within(self, plan: Plan) -> Plan:
        return msgspec.structs.replace(
            plan,
            cost_before=_rounded(self._before.per_hour),
            cost_after=_rounded(self._after.per_hour),
            unpriced=self._after.unpriced,
        )


def _rounded(cost: float) -> float:
    return round(cost, 6)


def pods_of(
    template: Manifest,
    demand: ReplicaDemand | None,
    fleet: Fleet,
    before: Mapping[str, int],
    after: Mapping[str, int],
) -> Shares:
    """Return what is to be paid for: a DaemonSet is one pod for each node that takes it.

    *before* and *after* name the clusters of what has no replicas, with a share of none.
    """
    if demand is not None:
        return Shares(demand, before, after)
    gvk = GroupVersionKind.of(template)
    kind = (gvk.group, gvk.kind)
    try:
        if kind == ("", "Pod"):
            spec = template.get("spec")
            pod = spec if isinstance(spec, Mapping) else {}
            demand = ReplicaDemand(1, pod_requests(pod), pod_choice(pod))
            return Shares(demand, dict.fromkeys(before, 1), dict.fromkeys(after, 1))
        if kind == ("apps", "DaemonSet"):
            choice = template_choice(template)
            demand = ReplicaDemand(1, template_requests(template), choice)
            nodes = {name: _nodes_for(demand, fleet, name) for name in {*before, *after}}
            return Shares(demand, *({one: nodes[one] for one in some} for some in (before, after)))
    except (InvalidObject, ValueError):
        # What it asks for cannot be read; a member refuses it.
        pass
    return Shares(None, before, after)


def _nodes_for(demand: ReplicaDemand, fleet: Fleet, name: str) -> int:
    member = fleet.members.get(name)
    return member.room.nodes_for(ask_of(demand)) if member is not None and member.room else 0
