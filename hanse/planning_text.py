"""Plans for people: who moves where, what has no place, and the sums."""

from collections.abc import Iterator, Mapping, Sequence

from hanse.explaining_text import shortage
from shared.events.placement import PlacedShare
from shared.events.planning import Plan, PlannedChange

_SHOWN_MAX = 200
_PARTS_MAX = 10


def as_text(found: Plan) -> str:
    return "".join(f"{line}\n" for line in _lines(found))


def _lines(found: Plan) -> Iterator[str]:
    for one in found.changes[:_SHOWN_MAX]:
        yield f"{_name(one)}: {_how(one)}"
        if not one.fits:
            yield f"  {'has' if not one.fitted else 'would have'} no place: {shortage(one.message)}"
        if one.interrupted:
            yield f"  {_stopping(one.interrupted)} before others run"
    if len(found.changes) > _SHOWN_MAX:
        yield f"... and {len(found.changes) - _SHOWN_MAX} more"
    if not found.changes:
        yield "nothing moves"
    yield (
        f"{len(found.changes)} of {found.examined} objects change; replicas that move:"
        f" {found.moved}, that stop before others run: {found.interrupted} at most; objects that"
        f" would lose their place: {found.unplaced}"
    )
    if found.message:
        yield found.message


def _name(one: PlannedChange) -> str:
    return f"{one.kind} {one.namespace}/{one.name}" if one.namespace else f"{one.kind} {one.name}"


def _how(one: PlannedChange) -> str:
    before, after = _shares(one.before), _shares(one.after)
    parts = [
        _part(name, before, after)
        for name in sorted({*before, *after})
        if before.get(name, _ABSENT) != after.get(name, _ABSENT)
    ]
    if len(parts) > _PARTS_MAX:
        parts[_PARTS_MAX:] = [f"and {len(parts) - _PARTS_MAX} more clusters"]
    if one.reason == "NotSelected":
        return one.message
    return ", ".join(parts) or "stays where it is"


_ABSENT = object()


def _shares(shares: Sequence[PlacedShare]) -> Mapping[str, int | None]:
    return {one.cluster: one.replicas for one in shares}


def _part(name: str, before: Mapping[str, int | None], after: Mapping[str, int | None]) -> str:
    old, new = (_share(name, each) for each in (before, after))
    return f"{name} {old} -> {new}"


def _share(name: str, shares: Mapping[str, int | None]) -> str:
    if name not in shares:
        return "0"
    share = shares[name]
    return "whole" if share is None else str(share)


def _stopping(count: int) -> str:
    return "1 replica stops" if count == 1 else f"{count} replicas stop"
