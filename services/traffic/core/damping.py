"""When a split is written that differs from the one that stands: at once, soon, or later.

Who gets nothing any more is never waited with. What moves only a little waits, so that replicas
which come and go do not have every load balancer of the fleet told each time.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from shared.api.traffic_policy import TrafficSplit

MUCH = 200
"""In parts of 10,000: a share that differs by more is told soon."""


def wait_for(
    standing: Sequence[TrafficSplit],
    found: Sequence[TrafficSplit],
    *,
    soon: timedelta,
    late: timedelta,
) -> timedelta:
    """How long after the last write *found* may take the place of *standing*."""
    old, new = _shares(standing), _shares(found)
    before, after = ({key for key, share in one.items() if share} for one in (old, new))
    if not before or before - after:
        return timedelta(0)
    if after - before:
        return soon
    moved = max((abs(share - old.get(key, 0)) for key, share in new.items()), default=0)
    return soon if moved > MUCH else late


def _shares(splits: Sequence[TrafficSplit]) -> Mapping[tuple[str, str], int]:
    return {(split.region, one.name): one.share for split in splits for one in split.clusters}
