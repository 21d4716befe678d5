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
    """Part *places* into levels, the nearest first; from no region they are all equally near."""
    if not region:
        return (tuple(places),) if places else ()
    found: dict[int, list[Place]] = {}
    for place in places:
        full = place.region != region and _spare(place.region, places, nearness) == 0
        found.setdefault(_LAST if full else _distance(region, place, nearness), []).append(place)
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
    rooms = [_room(region, level, everywhere, nearness) for level in levels]
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


def _room(
    region: str, level: Sequence[Place], everywhere: Sequence[Place], nearness: Nearness
) -> Fraction:
    """How much of what comes from *region* the level has room for, after its own regions' own.

    What several regions have too much of shares what others spare, in proportion.
    """
    demand = nearness.demand.get(region, 0)
    if not nearness.rate or demand <= 0:
        return Fraction(1)
    room = 0
    for home in {one.region for one in level}:
        there = [one for one in level if one.region == home]
        if home == region:
            room += _capacity(home, there, nearness)
        else:
            room += _spare(home, there, nearness) or 0
    if all(one.region == region for one in level):
        return Fraction(room, demand)
    over = {
        source: max(0, wish - _capacity(source, everywhere, nearness))
        for source, wish in nearness.demand.items()
    }
    total = sum(over.values())
    part = Fraction(over.get(region, 0), total) if total else Fraction(1)
    return room * part / demand


def _spare(region: str, places: Sequence[Place], nearness: Nearness) -> int | None:
    """What a region has room for beyond its own; None where no room is counted."""
    if not nearness.rate:
        return None
    own = nearness.demand.get(region, 0) if region else 0
    return max(0, _capacity(region, places, nearness) - own)


def _capacity(region: str, places: Sequence[Place], nearness: Nearness) -> int:
    return sum(one.ready for one in places if one.region == region) * nearness.rate
