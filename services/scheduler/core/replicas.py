"""The arithmetic of dividing replicas: exact, bounded, and moving as little as it can.

Shares follow the largest-remainder method: each is within one of its proportion and they add up.
Which of the clusters whose proportion is broken gets the odd replica is decided by what they have
now, then by their remainders, then by the caller's order. That makes growth monotone wherever
proportions allow it, and an unchanged problem keep its answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_SUBSETS_MAX = 2_048


@dataclass(frozen=True, slots=True)
class Bounds:
    """A share is 0, or at least `least` and at most `most` (None: any)."""

    least: int = 0
    most: int | None = None


UNBOUNDED = Bounds()


@dataclass(frozen=True, slots=True)
class Division:
    """Shares above zero, and how many replicas found no place within the bounds."""

    shares: dict[str, int]
    unplaced: int = 0


def divide_by_weight(
    replicas: int, weights: Mapping[str, int], tie_break: Sequence[str]
) -> dict[str, int]:
    """Share *replicas* in proportion to *weights*; the shares add up exactly.

    *tie_break* orders clusters whose remainders are equal, so that the caller, not the order of
    a dict, decides who gets the odd replica.
    """
    division = divide(replicas, weights, {}, tie_break=tie_break)
    return {name: division.shares.get(name, 0) for name in weights}


def divide(
    replicas: int,
    weights: Mapping[str, int],
    bounds: Mapping[str, Bounds],
    *,
    tie_break: Sequence[str],
    near: Mapping[str, int] | None = None,
) -> Division:
    """Share *replicas* by weight within *bounds*, close to the shares in *near*.

    Clusters that cannot all have their least are left out, those with the smallest weight and
    nothing now first, unless only another choice places everything.
    """
    assert replicas >= 0
    assert all(weight > 0 for weight in weights.values()), "the caller drops those without weight"
    rank = {name: position for position, name in enumerate(tie_break)}
    near = near or {}
    limits = {}
    for name in weights:
        bound = bounds.get(name, UNBOUNDED)
        most = replicas if bound.most is None else min(bound.most, replicas)
        if most >= max(bound.least, 1):
            limits[name] = (max(bound.least, 0), most)
    takers = _choose_takers(replicas, weights, limits, near, rank)
    placed = min(replicas, sum(limits[name][1] for name in takers))
    if not placed:
        return Division({}, replicas)
    quotas = _bounded_quotas(placed, {name: weights[name] for name in takers}, limits)
    shares = _round(placed, quotas, near, rank)
    return Division({name: share for name, share in shares.items() if share}, replicas - placed)


def _choose_takers(
    replicas: int,
    weights: Mapping[str, int],
    limits: Mapping[str, tuple[int, int]],
    near: Mapping[str, int],
    rank: Mapping[str, int],
) -> list[str]:
    """Pick clusters whose least shares fit together, those that matter most first."""
    if sum(least for least, _ in limits.values()) <= replicas:
        return list(limits)
    preferred = sorted(
        limits, key=lambda name: (near.get(name, 0) == 0, -weights[name], rank[name])
    )
    takers, left = [], replicas
    for name in preferred:
        if limits[name][0] <= left:
            takers.append(name)
            left -= limits[name][0]
    if sum(limits[name][1] for name in takers) >= replicas:
        return takers
    return _choose_exactly(replicas, preferred, limits) or takers


def _choose_exactly(
    replicas: int, preferred: Sequence[str], limits: Mapping[str, tuple[int, int]]
) -> list[str] | None:
    """Search for clusters whose least shares fit and whose greatest shares hold everything.

    Of choices with the same sum of least shares only the roomiest is followed.
    """
    # Sum of least shares -> (sum of greatest shares, names).
    found: dict[int, tuple[int, tuple[str, ...]]] = {0: (0, ())}
    for name in preferred:
        least, most = limits[name]
        for used, (room, names) in list(found.items()):
            total = used + least
            if total > replicas or (total in found and found[total][0] >= room + most):
                continue
            if room + most >= replicas:
                return [*names, name]
            if len(found) < _SUBSETS_MAX or total in found:
                found[total] = (room + most, (*names, name))
    return None


@dataclass(frozen=True, slots=True)
class _Quota:
    """A share before rounding: `whole` and, of the next one, so many parts."""

    whole: int
    parts: int = 0


def _bounded_quotas(
    replicas: int, weights: Mapping[str, int], limits: Mapping[str, tuple[int, int]]
) -> dict[str, _Quota]:
    """Proportional shares with those that break a bound set to it and the rest divided anew.

    Each round fixes the side that is violated more, as the flexible lengths of CSS are resolved:
    the other side may come right by itself.
    """
    fixed: dict[str, _Quota] = {}
    free = dict(weights)
    left = replicas
    while free:
        total = sum(free.values())
        below, above, violation = [], [], 0
        for name, weight in free.items():
            least, most = limits[name]
            exact = left * weight
            if exact < least * total:
                below.append(name)
                violation += least * total - exact
            elif exact > most * total:
                above.append(name)
                violation -= exact - most * total
        if not below and not above:
            for name, weight in free.items():
                whole, parts = divmod(left * weight, total)
                fixed[name] = _Quota(whole, parts)
            break
        for name in below if violation >= 0 else []:
            fixed[name] = _Quota(limits[name][0])
        for name in above if violation <= 0 else []:
            fixed[name] = _Quota(limits[name][1])
        for name in [name for name in free if name in fixed]:
            del free[name]
            left -= fixed[name].whole
    return fixed


def _round(
    replicas: int,
    quotas: Mapping[str, _Quota],
    near: Mapping[str, int],
    rank: Mapping[str, int],
) -> dict[str, int]:
    """Round each quota down or up, towards what is there now, so that they add up."""
    shares = {
        name: quota.whole + (quota.parts > 0 and near.get(name, 0) > quota.whole)
        for name, quota in quotas.items()
    }
    odd = replicas - sum(shares.values())
    if odd > 0:
        raisable = [name for name in quotas if quotas[name].parts and not _up(name, shares, quotas)]
        raisable.sort(key=lambda name: (-quotas[name].parts, rank[name]))
        for name in raisable[:odd]:
            shares[name] += 1
    elif odd < 0:
        lowerable = [name for name in quotas if _up(name, shares, quotas)]
        lowerable.sort(key=lambda name: (quotas[name].parts, -rank[name]))
        for name in lowerable[:-odd]:
            shares[name] -= 1
    assert sum(shares.values()) == replicas, "quotas add up, so their roundings can"
    return shares


def _up(name: str, shares: Mapping[str, int], quotas: Mapping[str, _Quota]) -> bool:
    return shares[name] > quotas[name].whole
