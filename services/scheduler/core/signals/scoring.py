"""From values in units of their own to points between 0 and 100, and to the score of a cluster."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.scheduler.core.fleet import Fleet
from services.scheduler.core.workload import Workload
from shared.api.scoring import LATENCY, PRICE, Score

POINTS_MAX = 100
NEUTRAL = 50


@dataclass(frozen=True, slots=True)
class Part:
    """What one signal, or plugin, adds to the score of a cluster; `value` None is not known."""

    name: str
    points: int
    weight: int
    value: float | None = None
    expired: bool = False


def points_of(
    values: Mapping[str, float],
    *,
    lowest_is_best: bool,
    scale: tuple[float, float] | None = None,
) -> dict[str, int]:
    """Give the best 100 and the worst 0, the others in proportion; 50 where all are alike.

    *scale*: the values that are worth so much, instead of the least and the greatest there are.
    """
    if not values:
        return {}
    low, high = scale or (min(values.values()), max(values.values()))
    span = high - low
    if span <= 0:
        return dict.fromkeys(values, NEUTRAL)
    best = low if lowest_is_best else high
    return {
        name: POINTS_MAX - round(POINTS_MAX * abs(min(max(value, low), high) - best) / span)
        for name, value in values.items()
    }


def _scale_of(score: Score) -> tuple[float, float] | None:
    if score.best is None or score.worst is None:
        return None
    return min(score.best, score.worst), max(score.best, score.worst)


def parts_of(workload: Workload, fleet: Fleet) -> Mapping[str, tuple[Part, ...]]:
    """Return what every member's score is made of, beside preferred affinities.

    Points are among the members that the placement's affinity covers, whether they can take it now
    or not, lest one that fails change what is thought of the others.
    """
    placement, signals = workload.placement, workload.signals
    among = sorted(fleet.covered_by_any(placement.affinities or (None,)))
    columns: list[tuple[str, str, int, Mapping[str, float], Mapping[str, int]]] = []
    for score in placement.scores:
        values = signals.values(
            score.name, among, demand=workload.demand, from_region=score.from_region
        )
        points = points_of(values, lowest_is_best=score.lowest_is_best, scale=_scale_of(score))
        name = f"{LATENCY} from {score.from_region}" if score.from_region else score.name
        columns.append((name, score.name, score.weight, values, points))
    for plugin in placement.plugins:
        if plugin.weight:
            given = workload.opinions.points.get(plugin.name, {})
            columns.append((plugin.name, "", plugin.weight, {}, given))
    return {
        member: tuple(
            Part(
                name=name,
                points=points.get(member, NEUTRAL),
                weight=weight,
                value=values.get(member, points.get(member) if not signal else None),
                expired=(signal, member) in signals.expired,
            )
            for name, signal, weight, values, points in columns
        )
        for member in fleet.members
    }


def compared_by(workload: Workload, fleet: Fleet) -> Mapping[str, tuple[Part, ...]]:
    """Return the parts to be told: of scores, and of the signal that shares are weighed by."""
    found = parts_of(workload, fleet)
    rules = workload.placement.replica_scheduling
    preference = rules.weight_preference if rules is not None else None
    weighed = preference.dynamic_weight if preference is not None else ""
    name = {"Price": PRICE, "Latency": LATENCY}.get(weighed, "")
    if preference is None or not name or any(one.name == name for one in workload.placement.scores):
        return found
    values = workload.signals.values(
        name, fleet.members, demand=workload.demand, from_region=preference.from_region
    )
    points = points_of(values, lowest_is_best=True)
    return {
        member: (*parts, Part(name, points.get(member, NEUTRAL), 0, values.get(member)))
        for member, parts in found.items()
    }


def added_scores(workload: Workload, fleet: Fleet) -> Mapping[str, int]:
    """Return what signals and plugins add to each member's score, in hundredths."""
    return {
        member: sum(one.weight * one.points for one in parts)
        for member, parts in parts_of(workload, fleet).items()
    }
