"""Nearest first: levels of places by their distance from a region, and what each of them takes.

A level keeps everything while enough of its wanted replicas are ready, and less in proportion once
they are not (as Envoy's priority levels do); it takes no more than it has room for. What it does
not take goes on to the next. Where all together lack, what is left over is borne by all alike.
"""

from collections.abc import Sequence
from fractions import Fraction

from services.traffic.core.places import Nearness, Place

_NEAR_MILLISECONDS = 8
"""Places that answer sooner than this are equally near."""
_LAST = 64


def levels_from(
    region: str, places: Sequence[Place], nearness: Nearness
) -> tuple[tuple[Place, ...], ...]:
    """Part *places* into levels, the nearest first; from no region they are all equally near.

    Regions that need all their room for themselves come last.
    """
    if not region:
        return (tuple(places),) if places else ()
    ready = _ready_by_region(places) if nearness.rate else {}
    full = {home for home, count in ready.items() if _spare(home, count, nearness) == 0}
    found: dict[int, list[Place]] = {}
    for place in places:
        is_full = place.region != region and place.region in full
        distance = _LAST if is_full else _distance(region, place, nearness)
        found.setdefault(distance, []).append(place)
    return tuple(tuple(found[distance]) for distance in sorted(found))


def _distance(region: str, place: Place, nearness: Nearness) -> int:
    """In steps that are twice as far each, so that a latency that trembles changes nothing."""
    if place.region == region:
        return 0
    milliseconds = nearness.latency.get((region, place.cluster))
    if milliseconds is None:
        return _LAST - 1
    return 1 + max(0, milliseconds // _NEAR_MILLISECONDS).bit_length()


def loads_of(
    region: str,
    levels: Sequence[Sequence[Place]],
    everywhere: Sequence[Place],
    nearness: Nearness,
) -> tuple[Fraction, ...]:
    """What part of the traffic from *region* each level takes; they sum to 1.

    *everywhere* are all places that take part, for what other regions leave of their room.
    """
    able = [_readiness(level, nearness) for level in levels]
    rooms = _rooms(region, levels, everywhere, nearness)
    if any(rooms):
        # Where there is room nowhere, that is no reason to go far.
        able = [min(pair) for pair in zip(able, rooms, strict=True)]
    left, taken = Fraction(1), []
    for one in able:
        taken.append(min(left, one))
        left -= taken[-1]
    borne = sum(taken)
    return tuple(one / borne for one in taken)


def _readiness(level: Sequence[Place], nearness: Nearness) -> Fraction:
    ready = sum(one.ready for one in level)
    wanted = sum(max(one.ready, one.wanted) for one in level)
    return min(Fraction(1), Fraction(ready * 100, wanted * nearness.min_ready_percent))


def _rooms(
    region: str,
    levels: Sequence[Sequence[Place]],
    everywhere: Sequence[Place],
    nearness: Nearness,
) -> list[Fraction]:
    """How much of what comes from *region* each level has room for, after its own regions' own.

    What several regions have too much of shares what others spare, in proportion.
    """
    demand = nearness.demand.get(region, 0)
    if not nearness.rate or demand <= 0:
        return [Fraction(1)] * len(levels)
    ready = _ready_by_region(everywhere)
    over = {
        source: max(0, wish - ready.get(source, 0) * nearness.rate)
        for source, wish in nearness.demand.items()
    }
    total = sum(over.values())
    part = Fraction(over.get(region, 0), total) if total else Fraction(1)
    found = []
    for level in levels:
        there = _ready_by_region(level)
        own = there.pop(region, 0) * nearness.rate
        spared = sum(_spare(home, count, nearness) for home, count in there.items())
        found.append((own + spared * part) / demand if there else Fraction(own, demand))
    return found


def _spare(region: str, ready: int, nearness: Nearness) -> int:
    """What so many endpoints of a region have room for beyond its own demand."""
    own = nearness.demand.get(region, 0) if region else 0
    return max(0, ready * nearness.rate - own)


def _ready_by_region(places: Sequence[Place]) -> dict[str, int]:
    found: dict[str, int] = {}
    for one in places:
        found[one.region] = found.get(one.region, 0) + one.ready
    return found
