"""Members by number, so that a set of thousands of them is one integer with a bit for each.

To unite such sets, to leave one out of another and to count takes a microsecond however large the
fleet is, where sets of names are walked one by one, through as much memory.
"""

from collections.abc import Iterable
from itertools import compress

_TO_MARKS = bytes.maketrans(b"01", bytes((0, 1)))


class Roll:
    """The names of all members, in order. Two rolls of the same names number them alike."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(names)
        self.number = {name: number for number, name in enumerate(self.names)}
        self.everyone = (1 << len(self.names)) - 1

    def mask(self, names: Iterable[str]) -> int:
        """Return the set of *names*; who is not on the roll is not in it."""
        marks = bytearray(len(self.names) // 8 + 1)
        number = self.number
        for name in names:
            at = number.get(name)
            if at is not None:
                marks[at >> 3] |= 1 << (at & 7)
        return int.from_bytes(marks, "little")

    def named(self, mask: int) -> list[str]:
        """Return who is in a set, in order."""
        marks = f"{mask:b}"[::-1].encode().translate(_TO_MARKS)
        return list(compress(self.names, marks))

    def first(self, mask: int, count: int) -> list[str]:
        """Return the first *count* of a set, in order."""
        found: list[str] = []
        while mask and len(found) < count:
            lowest = mask & -mask
            found.append(self.names[lowest.bit_length() - 1])
            mask ^= lowest
        return found
