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
_MACRO = re.compile(r"\.\s*(?:all|exists|exists_one|existsOne|map|filter|transformList)\s*\(")
_LIST_CALL = re.compile(
    r"\.\s*(?:sum|min|max|isSorted|indexOf|lastIndexOf|slice|distinct|sort|flatten|reverse|join|range"
    r"|contains|equivalent|intersects)\s*\("
)


class Size(NamedTuple):
    """The number of values within, the longest collection, and the longest text."""

    nodes: int
    broadest: int
    longest: int


class Work(NamedTuple):
    """What an expression does at most, as its text shows."""

    loops: int
    """So many comprehensions inside one another."""

    lists: int
    """So many calls that read the whole of a list, each time that they are made."""


def work_of(text: str) -> Work:
    return Work(len(_MACRO.findall(text)), len(_LIST_CALL.findall(text)))


def cost_of(size: Size, work: Work) -> int:
    """Return the most steps that *work* takes over a value."""
    turns = min(_LOOPS_MAX, size.broadest**work.loops if work.loops else 0)
    each = 1 + size.longest // _CHARACTERS + work.lists * size.broadest
    return size.nodes + (1 + turns) * each


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
