"""Which plans one load balancer on plain machines can carry, and why it cannot the others (pure).

Plans with hosts share one port; every other listens on that of its service. Of two on one port the
first by key is carried, so that no policy that is added later takes over from one that works.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from shared.events.traffic import FrontTrouble, TrafficPlan

_BALANCED = ("HTTP", "TCP")


@dataclass(slots=True)
class SortedPlans:
    """Those that are `carried`, and of the others, by key, what hinders it.

    A plan without a port is neither: nobody exports its service, which its policy says itself.
    """

    carried: list[TrafficPlan] = field(default_factory=list)
    refused: dict[str, FrontTrouble] = field(default_factory=dict)


def sort_plans(plans: Iterable[TrafficPlan], http_port: int) -> SortedPlans:
    found = SortedPlans()
    ordered = sorted(plans, key=lambda one: one.key)
    balanced = [one for one in ordered if one.protocol in _BALANCED]
    hosts = next((one.key for one in balanced if one.hosts), "")
    ports = {http_port: f"the host names of {hosts}"} if hosts else {}
    for plan in ordered:
        if plan not in balanced:
            why = f"it balances no {plan.protocol}"
            found.refused[plan.key] = FrontTrouble(reason="ProtocolNotSupported", message=why)
        elif plan.hosts:
            found.carried.append(plan)
        elif plan.port in ports:
            why = f"its port {plan.port} is taken by {ports[plan.port]}"
            found.refused[plan.key] = FrontTrouble(reason="PortTaken", message=why)
        elif plan.port:
            ports[plan.port] = plan.key
            found.carried.append(plan)
    return found
