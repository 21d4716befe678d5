"""Aggregating: into the fewest clusters that have room, the better liked first."""

from collections.abc import Collection, Mapping, Sequence


def pack(
    replicas: int,
    free: Mapping[str, int],
    scores: Mapping[str, int],
    *,
    holders: Collection[str],
    order: Sequence[str],
) -> dict[str, int]:
    """Put *replicas* into the room of *free*: first where something is, then in the fewest others.

    Of equally many others those are taken whose best liked is liked most, then the second best,
    and so on; the roomier of equally liked ones; then by *order*. They are filled one after the
    other.
    """
    rank = {name: position for position, name in enumerate(order)}
    preferred = sorted(
        (name for name, room in free.items() if room > 0),
        key=lambda name: (name not in holders, -scores.get(name, 0), -free[name], rank[name]),
    )
    there = [name for name in preferred if name in holders]
    left = replicas - sum(free[name] for name in there)
    filling = there + _fewest(left, free, [name for name in preferred if name not in holders])
    shares, left = {}, replicas
    for name in filling:
        if left <= 0:
            break
        shares[name] = min(free[name], left)
        left -= shares[name]
    return shares


def _fewest(replicas: int, free: Mapping[str, int], preferred: Sequence[str]) -> list[str]:
    """Choose the fewest that hold *replicas*, all of them where they do not."""
    if replicas <= 0:
        return []
    roomiest = sorted(preferred, key=lambda name: -free[name])
    size, room = 0, 0
    while room < replicas and size < len(roomiest):
        room += free[roomiest[size]]
        size += 1
    chosen: list[str] = []
    left = replicas
    for name in preferred:
        if len(chosen) == size:
            break
        # Whether the roomiest of the others can complete the choice.
        rest = [free[one] for one in roomiest if one not in chosen and one != name]
        if room < replicas or free[name] + sum(rest[: size - len(chosen) - 1]) >= left:
            chosen.append(name)
            left -= free[name]
    return chosen


def keep_fewest(replicas: int, kept: Mapping[str, int], order: Sequence[str]) -> dict[str, int]:
    """Keep *replicas* of what there is where most of it is, so that the least are emptied."""
    rank = {name: position for position, name in enumerate(order)}
    shares, left = {}, replicas
    for name in sorted(kept, key=lambda name: (-kept[name], rank[name])):
        shares[name] = min(kept[name], left)
        left -= shares[name]
    return shares
