"""Who comes first where replicas do not reach for everybody's least share."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from services.scheduler.core.claims import Claims
from services.scheduler.core.replicas import Bounds, serve_leasts


def least_shares(
    replicas: int,
    claims: Claims,
    limits: Mapping[str, Bounds],
    order: Sequence[str],
    *,
    first: Sequence[str] = (),
) -> dict[str, int]:
    """Give everybody its least as far as replicas reach, and one to each of *first* before that.

    Then come those that have any now, the earlier tiers, the heavier.
    """
    # From the last rule to the first, each keeping the order of those that are equal by it.
    served = [name for name in order if name in limits]
    served.sort(key=claims.weights.__getitem__, reverse=True)
    if claims.tiers:
        served.sort(key=lambda name: claims.tiers.get(name, 0))
    if claims.now:
        served.sort(key=lambda name: not claims.now.get(name))
    return serve_leasts(replicas, limits, served, near=claims.now, first=first)


def with_first(replicas: int, claims: Claims, first: Sequence[str], order: Sequence[str]) -> Claims:
    """Return *claims* whose least shares all fit, with one for each of *first*."""
    if not first:
        return claims
    limits = {name: claims.bound(name) for name in claims.weights}
    leasts = least_shares(replicas, claims, limits, order, first=first)
    bounds = {name: Bounds(least, limits[name].most) for name, least in leasts.items()}
    return replace(claims, bounds=bounds)
