"""Why members do not take part, kept by reason: of thousands most are out for one of a few."""

from collections.abc import Collection, Hashable, ItemsView, Iterable, Iterator, Mapping
from typing import TypeVar

from services.scheduler.core.roll import Roll

Reason = TypeVar("Reason", bound=Hashable)


class ByReason(Mapping[str, Reason]):
    """Reads like a dict from names to reasons, and does not change.

    `groups` are the reasons, each with the set, by *roll*, of those whom it keeps out: nobody is in
    two of them. `mask` is the set of all who are out.
    """

    __slots__ = ("groups", "mask", "roll")

    def __init__(self, roll: Roll, groups: Iterable[tuple[Reason, int]]) -> None:
        self.roll = roll
        self.groups = tuple((why, mask) for why, mask in groups if mask)
        self.mask = 0
        for _, mask in self.groups:
            self.mask |= mask

    @classmethod
    def of(cls, roll: Roll, reasons: Mapping[str, Reason]) -> "ByReason[Reason]":
        """All names must be on the roll; reasons come in the order in which they are given."""
        # Most have the very same one: to find its equals takes longer than to find itself.
        found: dict[int, tuple[Reason, list[str]]] = {}
        for name, why in reasons.items():
            entry = found.get(id(why))
            if entry is None:
                entry = found[id(why)] = (why, [])
            entry[1].append(name)
        masks: dict[Reason, int] = {}
        for why, names in found.values():
            masks[why] = masks.get(why, 0) | roll.mask(names)
        return cls(roll, masks.items())

    def __getitem__(self, name: str) -> Reason:
        bit = 1 << self.roll.number[name]
        if self.mask & bit:
            for why, mask in self.groups:
                if mask & bit:
                    return why
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        number = self.roll.number.get(name) if isinstance(name, str) else None
        return number is not None and bool(self.mask >> number & 1)

    def __iter__(self) -> Iterator[str]:
        for _, mask in self.groups:
            yield from self.roll.named(mask)

    def __len__(self) -> int:
        return self.mask.bit_count()

    def items(self) -> ItemsView[str, Reason]:
        return self.spelled().items()

    def spelled(self) -> dict[str, Reason]:
        """Return it as a dict, which takes as long as there are names in it."""
        return {name: why for why, mask in self.groups for name in self.roll.named(mask)}

    def __repr__(self) -> str:
        return f"ByReason({self.spelled()!r})"

    def without(self, mask: int) -> "ByReason[Reason]":
        """Return it without those in *mask*."""
        return self.within(~mask) if self.mask & mask else self

    def within(self, mask: int) -> "ByReason[Reason]":
        """Return what it says of those in *mask*."""
        return ByReason(self.roll, ((why, some & mask) for why, some in self.groups))

    def under(self, over: "ByReason[Reason]") -> "ByReason[Reason]":
        """Return what `{**self, **over}` says, about in the order of that."""
        if not self.mask & over.mask:
            return ByReason(self.roll, (*self.groups, *over.groups))
        found: list[tuple[Reason, int]] = []
        for why, mask in self.groups:
            parts = [(why, mask & ~over.mask), *over.within(mask).groups]
            found += sorted(parts, key=_first_of)
        masks: dict[Reason, int] = {}
        for why, mask in (*found, *over.groups):
            masks[why] = masks.get(why, 0) | mask
        return ByReason(self.roll, masks.items())

    def in_order(self) -> "ByReason[Reason]":
        """Return it with the reasons in order of their first members."""
        return ByReason(self.roll, sorted(self.groups, key=_first_of))


def overlaid(reasons: Mapping[str, Reason], over: Mapping[str, Reason]) -> Mapping[str, Reason]:
    """Return what `{**reasons, **over}` says."""
    if not over:
        return reasons
    if isinstance(reasons, ByReason):
        if isinstance(over, ByReason):
            return reasons.under(over)
        # Who has left the fleet is told of, too, and has no number.
        if over.keys() <= reasons.roll.number.keys():
            return reasons.under(ByReason.of(reasons.roll, over))
    return {**dict(reasons.items()), **over}


def less(reasons: Mapping[str, Reason], names: Collection[str]) -> Mapping[str, Reason]:
    """Return *reasons* without those of *names*."""
    if isinstance(reasons, ByReason):
        return reasons.without(reasons.roll.mask(names))
    return {name: why for name, why in reasons.items() if name not in names}


def _first_of(group: tuple[Hashable, int]) -> int:
    return group[1] & -group[1]
