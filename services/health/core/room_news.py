"""When the room of a member is worth telling: a little more or less is told after a while."""

from collections import defaultdict
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from shared.api.cluster import Capacity
from shared.apimachinery.quantity import parse_quantity
from shared.clock import format_time, parse_time

SMALL_CHANGE_AGE = timedelta(minutes=1)
"""How long a small change may go untold."""

_SMALL = Decimal(1) / 64
"""Of what the member offers in all."""


def room_to_tell(old: Capacity | None, new: Capacity | None, *, now: datetime) -> Capacity | None:
    """Return what is to stand in the status: *new* with its time, or *old* for now."""
    if new is None:
        return old
    if old is not None:
        if msgspec.structs.replace(old, observed_time=None) == new:
            return old
        if _is_young(old, now) and not _differ_much(old, new):
            return old
    return msgspec.structs.replace(new, observed_time=format_time(now))


def _is_young(old: Capacity, now: datetime) -> bool:
    try:
        return now - parse_time(old.observed_time or "") < SMALL_CHANGE_AGE
    except ValueError:
        return False


def _differ_much(old: Capacity, new: Capacity) -> bool:
    """Whether more changed than how much is free, or that by more than a little."""
    if _frame(old) != _frame(new):
        return True
    before, after = _free(old), _free(new)
    if before.keys() != after.keys():
        return True
    for sort, amounts in after.items():
        for name, amount in amounts.items():
            was = before[sort].get(name, Decimal(0))
            offered = max(amount, was, _offered(new, name))
            # What runs out, or no longer does, is never little.
            if abs(amount - was) > offered * _SMALL or (not amount) != (not was):
                return True
    return False


def _frame(capacity: Capacity) -> Capacity:
    return msgspec.structs.replace(capacity, allocated={}, node_classes=(), observed_time=None)


def _free(capacity: Capacity) -> dict[str, dict[str, Decimal]]:
    """Sum what is free by sort of node."""
    found: dict[str, dict[str, Decimal]] = {}
    for one in capacity.node_classes:
        sort = found.setdefault(repr((one.labels, one.taints)), defaultdict(Decimal))
        for name, text in one.free.items():
            sort[name] += one.count * parse_quantity(text)
    return found


def _offered(capacity: Capacity, name: str) -> Decimal:
    return parse_quantity(capacity.allocatable.get(name, "0"))
