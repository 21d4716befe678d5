"""The arithmetic of dividing replicas: exact, bounded, and growing without shrinking anyone.

Shares are rounded by the method of Webster (Sainte-Laguë): one replica after the other goes where
`weight / (2 * share + 1)` is greatest. So one replica more never takes one from anybody, and a
cluster that comes or goes moves only what it takes or leaves (Balinski and Young, Fair
Representation, 1982). Bounds come first. Equal claims go where the replica was, then by the
caller's order, so an unchanged problem keeps its answer.
"""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bounds:
    """A share is at least `least`, as far as replicas reach, and at most `most` (None: any)."""

    least: int = 0
    most: int | None = None


UNBOUNDED = Bounds()
_FEW = 4


@dataclass(frozen=True, slots=True)
class Division:
    """Shares above zero, and how many replicas found no place within the bounds."""

    shares: dict[str, int]
    unplaced: int = 0


def divide(
    replicas: int,
    weights: Mapping[str, int],
    bounds: Mapping[str, Bounds],
    *,
    tie_break: Sequence[str],
    near: Mapping[str, int] | None = None,
) -> Division:
    """Share *replicas* by weight within *bounds*; equal claims go by *near*, then *tie_break*.

    What is of weight 0 gets its least and no more. Where replicas do not reach for every least,
    those that have any in *near* come first, then the heavier.
    """
    assert replicas >= 0
    rank = {name: position for position, name in enumerate(tie_break)}
    near = near or {}
    if bounds:
        order = sorted(weights, key=lambda name: (not near.get(name), -weights[name], rank[name]))
        asked = {name: bounds.get(name, UNBOUNDED) for name in weights}
        shares = serve_leasts(replicas, asked, order, near=near)
        limits = {}
        for name, least in shares.items():
            bound = asked[name].most
            most = replicas if bound is None else min(bound, replicas)
            limits[name] = (least, most if weights[name] > 0 else least)
    else:
        shares = dict.fromkeys(weights, 0)
        limits = {name: (0, replicas if weight > 0 else 0) for name, weight in weights.items()}
    left = replicas - sum(shares.values())
    if left:
        shares = _start(replicas, weights, limits)
        left = replicas - sum(shares.values())
    claims = [
        (*_claim(weights[name], shares[name], near.get(name, 0)), rank[name], name)
        for name in _in_question(left, weights, shares, near, limits, tie_break=tie_break)
        if shares[name] < limits[name][1]
    ]
    heapq.heapify(claims)
    while left and claims:
        name = claims[0][3]
        shares[name] += 1
        left -= 1
        if shares[name] < limits[name][1]:
            claim = _claim(weights[name], shares[name], near.get(name, 0))
            heapq.heapreplace(claims, (*claim, rank[name], name))
        else:
            heapq.heappop(claims)
    return Division({name: share for name, share in shares.items() if share}, left)


def _in_question(
    left: int,
    weights: Mapping[str, int],
    shares: Mapping[str, int],
    near: Mapping[str, int],
    limits: Mapping[str, tuple[int, int]],
    *,
    tie_break: Sequence[str],
) -> Iterable[str]:
    """Name those who may get one of the *left* replicas, where they are few among many.

    Of those who have none and had none, the heavier have the greater claim, so that only the
    first of them come into question, as many as there are replicas.
    """
    if len(weights) <= _FEW * left:
        return weights
    new = [
        name
        for name in tie_break
        if name in weights and not shares[name] and not near.get(name) and limits[name][1]
    ]
    new.sort(key=weights.__getitem__, reverse=True)
    return [*(name for name in weights if shares[name] or near.get(name)), *new[:left]]


def would_stay(shares: Mapping[str, int], weights: Mapping[str, int], heaviest: int) -> bool:
    """Whether `divide` without bounds, near *shares*, which are above zero, gives them again.

    *heaviest* is the greatest weight of those who have none. It does where the last replica of
    everybody claimed as much as the next one of anybody: equal claims go where the replica was.
    """
    least = min(weights[name] / (2 * share - 1) for name, share in shares.items())
    most = max(weights[name] / (2 * share + 1) for name, share in shares.items())
    return least >= max(most, heaviest)


def serve_leasts(
    replicas: int,
    bounds: Mapping[str, Bounds],
    order: Sequence[str],
    *,
    near: Mapping[str, int],
    first: Sequence[str] = (),
) -> dict[str, int]:
    """Give each its least share, in *order*, as far as replicas reach.

    Before that one goes to each of *first*; then what there is (*near*) of a least share stays.
    """
    shares = dict.fromkeys(bounds, 0) | dict.fromkeys(first, 1)
    left = replicas - len(first)
    wanting = [name for name in order if bounds[name].least > 0]
    there = [name for name in wanting if near.get(name)] if near else []
    for staying, some in ((True, there), (False, wanting)):
        for name in some:
            if not left:
                # Of thousands that want one few may be served.
                break
            least, most = bounds[name].least, bounds[name].most
            least = least if most is None else min(least, most)
            if staying:
                least = min(least, near.get(name, 0))
            more = min(left, max(0, least - shares[name]))
            shares[name] += more
            left -= more
    return shares


def _claim(weight: int, share: int, near: int) -> tuple[float, bool]:
    return -weight / (2 * share + 1), near <= share


def _start(
    replicas: int, weights: Mapping[str, int], limits: Mapping[str, tuple[int, int]]
) -> dict[str, int]:
    """Return shares that are surely not too great, near the end, so that few steps are left.

    A rounded share is at most half a replica above its exact one: exact shares of half a replica
    less for everybody, rounded down, are below the answer.
    """
    fewer = replicas - (len(weights) + 1) // 2
    least = sum(low for low, _ in limits.values())
    if fewer <= least:
        return {name: low for name, (low, _) in limits.items()}
    most = sum(high for _, high in limits.values())
    return _exact_shares(min(fewer, most), weights, limits)


def _exact_shares(
    replicas: int, weights: Mapping[str, int], limits: Mapping[str, tuple[int, int]]
) -> dict[str, int]:
    """Proportional shares, rounded down, with those that break a bound set to it.

    Each round fixes the side that is violated more, as the flexible lengths of CSS are resolved:
    the other side may come right by itself.
    """
    fixed = {name: limits[name][0] for name in weights if weights[name] <= 0}
    free = {name: weight for name, weight in weights.items() if weight > 0}
    left = replicas - sum(fixed.values())
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
            return fixed | {name: left * weight // total for name, weight in free.items()}
        for name in below if violation >= 0 else []:
            fixed[name] = limits[name][0]
        for name in above if violation <= 0 else []:
            fixed[name] = limits[name][1]
        for name in [name for name in free if name in fixed]:
            del free[name]
            left -= fixed[name]
    return fixed
