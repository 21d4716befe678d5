"""From shares of clusters to whole weights of their endpoints, where a weight has a greatest value.

Each cluster's sum comes as near to its share as the greatest weight lets it. A cluster with many
endpoints and hardly a share uses only so many of them: all of them with the least weight there is
would be more than it shall have.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TypeVar

Endpoint = TypeVar("Endpoint")


def weigh(
    shares: Mapping[str, int], endpoints: Mapping[str, Sequence[Endpoint]], most: int
) -> dict[str, tuple[int, ...]]:
    """Return a weight from 0 to *most* for each of the *endpoints* of clusters, in their order.

    A cluster without a share, or one that *shares* does not name, gets zeros.
    """
    taking = {name: shares[name] for name in endpoints if shares.get(name) and endpoints[name]}
    # As much as fits where the least room is for a share.
    scale = min(
        (Fraction(most * len(endpoints[name]), share) for name, share in taking.items()),
        default=Fraction(0),
    )
    return {
        name: _spread(max(1, round(taking[name] * scale)) if name in taking else 0, len(members))
        for name, members in endpoints.items()
    }


def _spread(total: int, count: int) -> tuple[int, ...]:
    if not count:
        return ()
    each, left = divmod(total, count)
    return tuple(each + (number < left) for number in range(count))
