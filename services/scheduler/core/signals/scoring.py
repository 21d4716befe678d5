"""From values in units of their own to points between 0 and 100, and to the score of a cluster."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from services.scheduler.core.fleet import Fleet
from services.scheduler.core.signals.origins import origin_of, origin_words
from services.scheduler.core.signals.pricing import amounts_of
from services.scheduler.core.signals.rooms import room_values
from services.scheduler.core.signals.weighing import signal_of, weighing_origin
from services.scheduler.core.workload import Workload
from shared.api.scoring import PRICE, ROOM, MeasuredFrom, Score

POINTS_MAX = 100
NEUTRAL = 50
# By a power of two, so that nothing is rounded: differences of any two values stay finite.
_WITHIN_RANGE = 2.0**-8


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
    low, high = low * _WITHIN_RANGE, high * _WITHIN_RANGE
    span = high - low
    if span <= 0:
        return dict.fromkeys(values, NEUTRAL)
    best = low if lowest_is_best else high
    return {
        name: POINTS_MAX - round(POINTS_MAX * abs(_bounded(value, low, high) - best) / span)
        for name, value in values.items()
    }


def _bounded(value: float, low: float, high: float) -> float:
    return min(max(value * _WITHIN_RANGE, low), high)


def _scale_of(score: Score) -> tuple[float, float] | None:
    if score.best is None or score.worst is None:
        return None
    return min(score.best, score.worst), max(score.best, score.worst)


class _Column(NamedTuple):
    """One signal, or plugin (`signal` ""), over all members."""

    name: str
    signal: str
    weight: int
    values: Mapping[str, float]
    points: Mapping[str, int]

    def part(self, member: str, expired: frozenset[tuple[str, str]]) -> Part:
        points = self.points.get(member)
        value = self.values.get(member)
        if not self.signal and points is not None:
            value = points
        gone = (self.signal, member) in expired
        return Part(self.name, NEUTRAL if points is None else points, self.weight, value, gone)


def _columns(workload: Workload, fleet: Fleet, among: Iterable[str]) -> Iterator[_Column]:
    for score in workload.placement.scores:
        if score.name in ROOM:
            values = room_values(score.name, fleet, among)
        else:
            origin = origin_of(score, workload.origins)
            values = workload.signals.values(
                score.name, among, demand=workload.demand, origin=origin
            )
        points = points_of(values, lowest_is_best=score.lowest_is_best, scale=_scale_of(score))
        yield _Column(_told(score.name, score), score.name, score.weight, values, points)


def _told(name: str, stated: MeasuredFrom) -> str:
    origin = origin_words(stated)
    return f"{name} from {origin}" if origin else name


def _plugins(workload: Workload) -> Iterator[_Column]:
    for plugin in workload.placement.plugins:
        if plugin.weight:
            points = workload.opinions.points.get(plugin.name, {})
            yield _Column(plugin.name, "", plugin.weight, {}, points)


def _weighing(workload: Workload, among: Iterable[str]) -> Iterator[_Column]:
    """Yield the signal that shares are weighed by, unless it is a score as well."""
    name = signal_of(workload.placement)
    if not name or any(one.name == name for one in workload.placement.scores):
        return
    values = workload.signals.values(
        name, among, demand=workload.demand, origin=weighing_origin(workload)
    )
    rules = workload.placement.replica_scheduling
    preference = rules.weight_preference if rules is not None else None
    told = _told(name, preference) if preference is not None else name
    yield _Column(told, name, 0, values, points_of(values, lowest_is_best=True))


def _among(workload: Workload, fleet: Fleet) -> frozenset[str]:
    """Members that the affinity covers: points are among these, whether they can take it or not.

    One that fails is not to change what is thought of the others.
    """
    return fleet.covered_by_any(workload.placement.affinities or (None,))


def parts_of(
    workload: Workload, fleet: Fleet, names: Iterable[str]
) -> Mapping[str, tuple[Part, ...]]:
    """Return what the scores of *names* are made of, beside preferred affinities.

    The signal that shares are weighed by is there too, with no weight.
    """
    among = sorted(_among(workload, fleet))
    columns = [*_columns(workload, fleet, among), *_plugins(workload), *_weighing(workload, among)]
    expired = workload.signals.expired
    return {name: tuple(one.part(name, expired) for one in columns) for name in names}


def added_scores(workload: Workload, fleet: Fleet) -> Mapping[str, int]:
    """Return what signals and plugins add to each member's score, in hundredths."""
    scores, among = workload.placement.scores, _among(workload, fleet)
    asks = workload.demand.requests if workload.demand is not None else {}
    priced = any(one.name == PRICE for one in scores)
    origins = tuple(origin_of(one, workload.origins) for one in scores if one.origins)
    key = (scores, among, amounts_of(asks) if priced else None, origins)

    def added() -> Mapping[str, int]:
        return _added(fleet, _columns(workload, fleet, sorted(among)))

    if any(one.name in ROOM for one in scores):
        # A lineage of fleets shares everything but room.
        by_signals = added()
    else:
        by_signals = workload.signals.remember(key, fleet.lineage, added)
    plugins = list(_plugins(workload))
    if not plugins:
        return by_signals
    by_plugins = _added(fleet, plugins)
    return {name: points + by_plugins[name] for name, points in by_signals.items()}


def _added(fleet: Fleet, columns: Iterable[_Column]) -> Mapping[str, int]:
    found = dict.fromkeys(fleet.members, 0)
    for one in columns:
        neutral = one.weight * NEUTRAL
        for name in found:
            points = one.points.get(name)
            found[name] += neutral if points is None else one.weight * points
    return found
