"""Shares by price and by latency: the less of it a cluster has, the more replicas it gets."""

from collections.abc import Sequence
from statistics import median

from services.scheduler.core.signals.origins import OBSERVERS, Origin, origin_of
from services.scheduler.core.workload import Workload
from shared.api.placement import Placement
from shared.api.scoring import LATENCY, PRICE

_SIGNALS = {"Price": PRICE, "Latency": LATENCY}
_WEIGHT_MAX = 10_000
_RATIO_MAX = 100
"""What is nearly free, or next door, counts as a hundredth of the greatest: not as nothing."""


def signal_of(placement: Placement) -> str:
    """Name the signal that shares are weighed by; "" where it is none."""
    rules = placement.replica_scheduling
    preference = rules.weight_preference if rules is not None else None
    return _SIGNALS.get(preference.dynamic_weight, "") if preference is not None else ""


def weighing_origin(workload: Workload) -> Origin:
    """Return from where latency is counted where shares are weighed by it."""
    rules = workload.placement.replica_scheduling
    preference = rules.weight_preference if rules is not None else None
    return origin_of(preference, workload.origins) if preference is not None else OBSERVERS


def heeds_signals(placement: Placement) -> bool:
    """Whether a decision by *placement* looks at any signal."""
    return bool(placement.scores) or signal_of(placement) != ""


def signal_weights(workload: Workload, names: Sequence[str]) -> dict[str, int]:
    """Return weights in inverse proportion to the signal, all above zero.

    One of which it is not known counts as the middle one of those of which it is.
    """
    values = workload.signals.values(
        signal_of(workload.placement),
        names,
        demand=workload.demand,
        origin=weighing_origin(workload),
    )
    greatest = max(values.values(), default=0.0)
    if greatest <= 0:
        return dict.fromkeys(names, 1)
    least = greatest / _RATIO_MAX
    bounded = {name: max(value, least) for name, value in values.items()}
    lowest, middle = min(bounded.values()), median(bounded.values())
    return {name: round(_WEIGHT_MAX * lowest / bounded.get(name, middle)) for name in names}
