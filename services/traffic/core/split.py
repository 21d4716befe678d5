"""The split: what part of a service's traffic each cluster gets, for traffic from one region.

Laws, held by tests: the parts sum to one, or nobody can take any; the dead get nothing; more weight
never means less; and one endpoint more or less moves little.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from services.traffic.core.levels import levels_from, loads_of
from services.traffic.core.places import Place, Terms
from shared.api.traffic_policy import WHOLE, ClusterShare, ShareReason

Parts = Mapping[str, Fraction]
"""By cluster, each above 0; they sum to 1, or there is none."""


def split(terms: Terms, places: Sequence[Place], region: str = "") -> tuple[ClusterShare, ...]:
    """Share the traffic from *region*: an entry for each place, in order of their names."""
    able = able_of(terms, places)
    parts = parts_of(terms, able, region)
    chosen = in_turn(terms, able)
    found = _Outcome(terms, _names(able), _names(chosen), parts, region)
    rounded = in_whole_parts(parts)
    shares = []
    for place in sorted(places, key=lambda each: each.cluster):
        reason, message = _why(place, found)
        shares.append(
            ClusterShare(
                name=place.cluster,
                share=rounded.get(place.cluster, 0),
                ready=place.ready,
                wanted=place.wanted,
                reason=reason,
                message=message,
            )
        )
    return tuple(shares)


def able_of(terms: Terms, places: Sequence[Place]) -> tuple[Place, ...]:
    """Return who may take anything at all.

    What is drained takes nothing, unless nobody else could.
    """
    alive = [one for one in places if one.alive and terms.weighs(one.cluster)]
    return tuple(one for one in alive if not one.drained) or tuple(alive)


def parts_of(terms: Terms, able: Sequence[Place], region: str = "") -> Parts:
    """Return the exact shares of *able* places; all of them have a weight, where there are any."""
    # 1. The failover order chooses the clusters.
    chosen = in_turn(terms, able)
    # 2. A shift parts them in two, each of which is shared for itself.
    if terms.shift_to is None:
        return _shared(terms, chosen, region)
    new = [one for one in chosen if one.cluster in terms.shift_to]
    old = [one for one in chosen if one.cluster not in terms.shift_to]
    if not new or not old:
        # There is no choice.
        return _shared(terms, chosen, region)
    ratio = Fraction(terms.percentage, 100)
    found = {name: part * ratio for name, part in _shared(terms, new, region).items()}
    found |= {name: part * (1 - ratio) for name, part in _shared(terms, old, region).items()}
    return {name: part for name, part in found.items() if part}


def in_turn(terms: Terms, able: Sequence[Place]) -> tuple[Place, ...]:
    """Keep those of the active failover group; of the next that has any, where it has none."""
    count = len(terms.groups)
    order = [*range(terms.active, count), *range(min(terms.active, count))]
    for number in order:
        found = tuple(one for one in able if one.cluster in terms.groups[number])
        if found:
            return found
    return tuple(able)


def _shared(terms: Terms, places: Sequence[Place], region: str) -> Parts:
    """Nearest first, and by weight among those equally near."""
    if terms.nearness is None:
        return _weighed(terms, places)
    levels = levels_from(region, places, terms.nearness)
    loads = loads_of(region, levels, places, terms.nearness)
    return {
        name: part * load
        for level, load in zip(levels, loads, strict=True)
        if load
        for name, part in _weighed(terms, level).items()
    }


def _weighed(terms: Terms, places: Sequence[Place]) -> Parts:
    """Share by weight, and what weighs together by ready endpoints."""
    if not terms.weights:
        return _by_ready(places)
    sets: dict[int, list[Place]] = {}
    for place in places:
        number = terms.entries.get(place.cluster)
        if number is not None:
            sets.setdefault(number, []).append(place)
    total = sum(terms.weights[number].weight for number in sets)
    if not total:
        # A shift goes to them whatever they weigh.
        return _by_ready(places)
    return {
        name: part * Fraction(weight, total)
        for number, members in sets.items()
        if (weight := terms.weights[number].weight)
        for name, part in _by_ready(members).items()
    }


def _by_ready(places: Sequence[Place]) -> Parts:
    total = sum(one.ready for one in places)
    return {one.cluster: Fraction(one.ready, total) for one in places}


def in_whole_parts(parts: Parts) -> dict[str, int]:
    """Round to parts of 10,000 that add up exactly: the largest remainders first."""
    shares = {name: int(part * WHOLE) for name, part in parts.items()}
    left = WHOLE - sum(shares.values()) if parts else 0
    by_remainder = sorted(parts, key=lambda name: (shares[name] - parts[name] * WHOLE, name))
    for name in by_remainder[:left]:
        shares[name] += 1
    return shares


def _names(places: Sequence[Place]) -> frozenset[str]:
    return frozenset(one.cluster for one in places)


@dataclass(frozen=True, slots=True)
class _Outcome:
    terms: Terms
    able: frozenset[str]
    chosen: frozenset[str]
    parts: Parts
    region: str


def _why(place: Place, found: _Outcome) -> tuple[ShareReason, str]:
    """Why it gets what it gets: a word for programs, and a clause for people."""
    if not place.reachable:
        return "Unreachable", place.why or "it is not reachable"
    if not place.ready:
        return "NoEndpoints", place.idle or "no endpoint is ready there"
    if not found.terms.weighs(place.cluster):
        return "NoWeight", "it has no weight"
    if place.cluster not in found.able:
        return "Drained", place.why
    if place.cluster not in found.chosen:
        return "FailoverOrder", "it is not its turn"
    return _why_some(place, found) if place.cluster in found.parts else _why_none(place, found)


def _why_some(place: Place, found: _Outcome) -> tuple[ShareReason, str]:
    if place.drained:
        return "Drained", f"{place.why}, and nobody else can take it"
    if found.terms.nearness is not None and found.region and place.region != found.region:
        return "Overflow", "nearer ones lack ready replicas or room, or there are none"
    return "Shared", ""


def _why_none(place: Place, found: _Outcome) -> tuple[ShareReason, str]:
    terms = found.terms
    if terms.shift_to is not None:
        is_new = place.cluster in terms.shift_to
        if is_new and not terms.percentage:
            return "NotShiftedYet", "nothing is shifted to it"
        if not is_new and terms.percentage == 100:
            return "ShiftedAway", "everything is shifted away from it"
    return "NearerOnes", f"nearer ones take what comes from {found.region}"
