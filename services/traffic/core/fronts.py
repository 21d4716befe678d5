"""Which plans one load balancer on plain machines can carry, and why it cannot the others (pure).

Plans with hosts share one port; every other listens on that of its service. Of two on one port, or
with one host, the older policy's is carried, so that none that is added later takes over from one
that works; and one that shares nothing, since another speaks for its service, takes from nobody.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from shared.events.traffic import FrontTrouble, TrafficPlan

_BALANCED = ("HTTP", "TCP")
_SHOWN_MAX = 5


@dataclass(slots=True)
class SortedPlans:
    """Those that are `carried`, and by key, what hinders those that are not, or not with all hosts.

    A plan without a port is neither: nobody exports its service, which its policy says itself.
    """

    carried: list[TrafficPlan] = field(default_factory=list)
    refused: dict[str, FrontTrouble] = field(default_factory=dict)


def sort_plans(plans: Iterable[TrafficPlan], http_port: int) -> SortedPlans:
    found = SortedPlans()
    ordered = sorted(plans, key=lambda one: (not one.splits, one.since, one.key))
    balanced = [one for one in ordered if one.protocol in _BALANCED]
    named = next((one.key for one in balanced if one.hosts), "")
    ports = {http_port: f"the host names of {named}"} if named else {}
    hosts: dict[str, str] = {}
    for plan in ordered:
        if plan.protocol not in _BALANCED:
            why = f"it balances no {plan.protocol}"
            found.refused[plan.key] = FrontTrouble(reason="ProtocolNotSupported", message=why)
        elif plan.hosts:
            taken = [one for one in plan.hosts if one in hosts]
            if taken:
                found.refused[plan.key] = _host_taken(taken, hosts)
            free = tuple(one for one in plan.hosts if one not in hosts)
            hosts |= dict.fromkeys(free, plan.key)
            if free:
                found.carried.append(msgspec.structs.replace(plan, hosts=free))
        elif plan.port in ports:
            why = f"its port {plan.port} is taken by {ports[plan.port]}"
            found.refused[plan.key] = FrontTrouble(reason="PortTaken", message=why)
        elif plan.port:
            ports[plan.port] = plan.key
            found.carried.append(plan)
    found.carried.sort(key=lambda one: one.key)
    return found


def _host_taken(hosts: Sequence[str], by: Mapping[str, str]) -> FrontTrouble:
    told = ", ".join(f"{one} is taken by {by[one]}" for one in hosts[:_SHOWN_MAX])
    more = len(hosts) - _SHOWN_MAX
    why = f"{told} and {more} more" if more > 0 else told
    return FrontTrouble(reason="HostTaken", message=why)
