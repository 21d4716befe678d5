"""What the shares of a workload cost in an hour, as far as prices are known."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.scheduler.core.signals.pricing import Amounts, amounts_of
from services.scheduler.core.signals.values import Signals
from shared.interpreter.replicas import ReplicaDemand


@dataclass(frozen=True, slots=True)
class Cost:
    """`per_hour` is of the replicas whose price is known; `unpriced` of them have none."""

    per_hour: float = 0.0
    unpriced: int = 0

    def beside(self, other: "Cost") -> "Cost":
        return Cost(self.per_hour + other.per_hour, self.unpriced + other.unpriced)


NOTHING = Cost()


def cost_of_shares(
    demand: ReplicaDemand | None, shares: Mapping[str, int], signals: Signals
) -> Cost:
    """Price so many replicas in each cluster; what asks for nothing costs nothing."""
    if demand is None:
        return NOTHING
    amounts = amounts_of(demand.requests)
    if amounts == Amounts():
        return NOTHING
    found = NOTHING
    for name, count in shares.items():
        price = signals.price_of(amounts, name)
        found = found.beside(Cost(0.0, count) if price is None else Cost(count * price))
    return found
