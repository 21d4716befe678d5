"""What is divided beside replicas: the completions of a Job, the ordinals of a StatefulSet.

Neither may change where it once was given: a Job's completions cannot be changed, and other
ordinals would be other pods. So what is there keeps its portion, and newcomers take what is free.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from services.scheduler.core.replicas import Bounds, divide
from services.scheduler.core.workload import Workload
from shared.api.binding import Eviction, TargetCluster

ORDINALS_EACH = 100
"""A cluster's pods of a StatefulSet are numbered within a block of so many, or several of them."""


def with_portions(
    workload: Workload, targets: Sequence[TargetCluster], evictions: Iterable[Eviction]
) -> tuple[TargetCluster, ...]:
    """Say in each of *targets* what it has of the whole, where there is anything to be said."""
    demand = workload.demand
    if demand is None or not workload.divided or not targets:
        return tuple(targets)
    before = {one.name: one for one in workload.current}
    if demand.completions is not None:
        given = _completions(workload, demand.completions, targets, before)
        return tuple(msgspec.structs.replace(one, completions=given[one.name]) for one in targets)
    if demand.ordinals_start is not None:
        starts = _ordinals(demand.ordinals_start, targets, before, evictions)
        return tuple(
            msgspec.structs.replace(one, ordinals_start=starts[one.name]) for one in targets
        )
    return tuple(targets)


def _completions(
    workload: Workload,
    completions: int,
    targets: Sequence[TargetCluster],
    before: Mapping[str, TargetCluster],
) -> Mapping[str, int]:
    """Give newcomers what nobody has yet, in proportion to what they run at once."""
    kept = {
        one.name: found
        for one in targets
        if one.name in before and (found := before[one.name].completions) is not None
    }
    left = completions - sum(kept.values())
    new = {one.name: one.replicas or 0 for one in targets if one.name not in kept}
    if left < 0 or (left and not new):
        # Nothing but another number for those that have one: their clusters may refuse it.
        kept, left, new = {}, completions, {one.name: one.replicas or 0 for one in targets}
    order = workload.order(list(new))
    bounds = {name: Bounds(least=share) for name, share in new.items()}
    given = divide(left, new, bounds, tie_break=order).shares
    return {one.name: kept.get(one.name, given.get(one.name, 0)) for one in targets}


def _ordinals(
    first: int,
    targets: Sequence[TargetCluster],
    before: Mapping[str, TargetCluster],
    evictions: Iterable[Eviction],
) -> Mapping[str, int]:
    """Give each its own blocks of ordinals, from *first* on; to keep a start comes first."""
    taken = [
        _blocks(one.ordinals_start - first, one.replicas or 0)
        for one in evictions
        if one.ordinals_start is not None
    ]
    starts: dict[str, int] = {}
    known = [one for one in targets if _start_of(one.name, before) is not None]
    for one in known:
        start = _start_of(one.name, before)
        assert start is not None, "those without one were left out"
        blocks = _blocks(start - first, one.replicas or 0)
        if start >= first and _hit(taken, blocks) is None:
            starts[one.name] = start
            taken.append(blocks)
    for one in targets:
        if one.name in starts:
            continue
        blocks = _blocks(0, one.replicas or 0)
        while (hit := _hit(taken, blocks)) is not None:
            blocks = _blocks(hit.stop * ORDINALS_EACH, one.replicas or 0)
        starts[one.name] = first + blocks.start * ORDINALS_EACH
        taken.append(blocks)
    return starts


def _start_of(name: str, before: Mapping[str, TargetCluster]) -> int | None:
    return before[name].ordinals_start if name in before else None


def _hit(taken: Iterable[range], blocks: range) -> range | None:
    """Return any of *taken* that has blocks in common; by range, as there may be millions."""
    return next((one for one in taken if one.start < blocks.stop and blocks.start < one.stop), None)


def _blocks(offset: int, replicas: int) -> range:
    last = offset + max(replicas, 1) - 1
    return range(offset // ORDINALS_EACH, last // ORDINALS_EACH + 1)
