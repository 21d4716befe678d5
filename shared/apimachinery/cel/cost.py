"""What an evaluation may cost at most, reckoned before it begins.

An engine step takes about a microsecond, so a spent budget is about a second.
"""

import re
from typing import Any, NamedTuple

BUDGET = 1_000_000
# The engine ends an evaluation after so many iterations.
_LOOPS_MAX = 10_000
# How many characters are read, or copied, in the time of one step.
_CHARACTERS = 300
_MACRO = re.compile(r"\.\s*(?:all|exists|exists_one|map|filter)\s*\(")


class Size(NamedTuple):
    """The number of values within, the longest collection, and the longest text."""

    nodes: int
    broadest: int
    longest: int


def loops_of(text: str) -> int:
    """Return how many comprehensions there are at most inside one another."""
    return len(_MACRO.findall(text))


def cost_of(size: Size, loops: int) -> int:
    """Return the most steps that an expression with so many *loops* takes over a value."""
    turns = min(_LOOPS_MAX, size.broadest**loops if loops else 0)
    return size.nodes + (1 + turns) * (1 + size.longest // _CHARACTERS)


def measure(value: Any) -> Size:
    if isinstance(value, str):
        return Size(1, 0, len(value))
    if not isinstance(value, dict | list):
        return Size(1, 0, 0)
    nodes, broadest, longest = 1, len(value), 0
    for each in value.values() if isinstance(value, dict) else value:
        inner, broad, long = measure(each)
        nodes += inner
        broadest = max(broadest, broad)
        longest = max(longest, long)
    return Size(nodes, broadest, longest)
