"""Dividing where room is an occasion: what runs stays, growth goes where there is room.

Least shares come first. Then all keep what they have; what is missing is poured into the tiers in
order, what is too much is taken away from the last tier first. So one replica more or less moves
none of the others, and what overflowed comes back in reverse.
"""

from collections.abc import Mapping, Sequence

from services.scheduler.core.claims import Claims
from services.scheduler.core.division.leasts import least_shares
from services.scheduler.core.division.packing import keep_fewest, pack
from services.scheduler.core.replicas import Bounds, Division, divide


def divide_keeping(
    replicas: int,
    claims: Claims,
    names: Sequence[str],
    *,
    order: Sequence[str],
    scores: Mapping[str, int] | None,
) -> Division:
    """Share *replicas* among *names*, from what they have; *order* breaks ties.

    *scores*: aggregate into the fewest of them, the better liked first. None: by weight.
    """
    limits = {name: claims.bound(name) for name in names}
    shares = least_shares(replicas, claims, limits, order)
    left = replicas - sum(shares.values())
    tiers: dict[int, list[str]] = {}
    for name in order:
        if name in limits:
            tiers.setdefault(claims.tiers.get(name, 0), []).append(name)
    for _, tier in sorted(tiers.items()) if claims.now else ():
        kept: Mapping[str, int] = {name: _beyond(name, claims, limits, shares) for name in tier}
        if sum(kept.values()) > left:
            kept = _cut(left, claims, tier, kept, packed=scores is not None)
        for name, share in kept.items():
            shares[name] += share
            left -= share
    for _, tier in sorted(tiers.items()):
        if left <= 0:
            break
        free = {}
        for name in tier:
            most = limits[name].most
            free[name] = left if most is None else max(0, min(left, most - shares[name]))
        for name, share in _pour(left, claims, free, shares, scores).items():
            shares[name] += share
            left -= share
    return Division({name: share for name, share in shares.items() if share}, left)


def _beyond(
    name: str, claims: Claims, limits: Mapping[str, Bounds], shares: Mapping[str, int]
) -> int:
    now, most = claims.now.get(name, 0), limits[name].most
    return max(0, (now if most is None else min(now, most)) - shares[name])


def _cut(
    left: int, claims: Claims, tier: Sequence[str], kept: Mapping[str, int], *, packed: bool
) -> Mapping[str, int]:
    """Keep *left* of what a tier has: in proportion to it, by static weights, or in the fewest."""
    if packed:
        return keep_fewest(left, kept, tier)
    there = [name for name in tier if kept[name]]
    weights = {name: kept[name] if claims.dynamic else claims.weights[name] for name in there}
    bounds = {name: Bounds(0, share) for name, share in kept.items()}
    return divide(left, weights, bounds, tie_break=tier, near=kept).shares


def _pour(
    left: int,
    claims: Claims,
    free: Mapping[str, int],
    shares: Mapping[str, int],
    scores: Mapping[str, int] | None,
) -> Mapping[str, int]:
    """Put *left* into the *free* room of a tier, beside the *shares* there are."""
    tier = list(free)
    if scores is not None:
        return pack(left, free, scores, holders={name for name in tier if shares[name]}, order=tier)
    growing = [name for name in tier if free[name] and claims.weights[name]]
    weights = {name: claims.weights[name] for name in growing}
    if claims.dynamic:
        # Of what grows a least share that was not there is a part.
        had = {name: max(0, shares[name] - claims.now.get(name, 0)) for name in growing}
    else:
        # Static weights are of the whole share, not of what is added to it.
        had = {name: shares[name] for name in growing}
    bounds = {name: Bounds(share, share + free[name]) for name, share in had.items()}
    near = None if claims.dynamic else had
    found = divide(left + sum(had.values()), weights, bounds, tie_break=tier, near=near).shares
    return {name: found.get(name, 0) - share for name, share in had.items()}
