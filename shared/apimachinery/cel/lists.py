"""Functions on lists: `isSorted`, `sum`, `min`, `max`, `indexOf`, and `sets`.

Source: `k8s.io/apiserver/pkg/cel/library/lists.go`, `github.com/google/cel-go/ext/sets.go`.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from shared.apimachinery.cel import texts
from shared.apimachinery.cel.functions import (
    BOOL,
    DOUBLE,
    DYN,
    INT,
    LIST,
    STRING,
    function,
    method,
)


def _sum(items: list[Any]) -> Any:
    if any(isinstance(one, str | bool | dict | list) for one in items):
        raise TypeError("no such overload")
    return sum(items[1:], items[0]) if items else 0


def _smallest(items: list[Any]) -> Any:
    if not items:
        raise ValueError("min called on empty list")
    return min(items)


def _largest(items: list[Any]) -> Any:
    if not items:
        raise ValueError("max called on empty list")
    return max(items)


def _sorted(items: list[Any]) -> bool:
    return all(before <= after for before, after in pairwise(items))


def _place(items: Sequence[Any], wanted: Any) -> int:
    return next((place for place, one in enumerate(items) if _same(one, wanted)), -1)


def _last_place(items: list[Any], wanted: Any) -> int:
    found = _place(items[::-1], wanted)
    return -1 if found < 0 else len(items) - 1 - found


def _same(one: Any, other: Any) -> bool:
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _within(items: list[Any], whole: list[Any]) -> bool:
    return all(_place(whole, one) >= 0 for one in items)


def _searched(find: Callable[..., int]) -> tuple[Any, ...]:
    """One signature per type of element: the engine hands no value of just any type over."""
    return tuple(([LIST, kind], INT, find) for kind in (STRING, INT, DOUBLE, BOOL))


FUNCTIONS = (
    method("isSorted", ([LIST], BOOL, _sorted)),
    method("sum", ([LIST], DYN, _sum)),
    method("min", ([LIST], DYN, _smallest)),
    method("max", ([LIST], DYN, _largest)),
    method("indexOf", *texts.INDEX_OF, *_searched(_place)),
    method("lastIndexOf", *texts.LAST_INDEX_OF, *_searched(_last_place)),
    function("sets.contains", ([LIST, LIST], BOOL, lambda whole, part: _within(part, whole))),
    function(
        "sets.equivalent",
        ([LIST, LIST], BOOL, lambda one, other: _within(one, other) and _within(other, one)),
    ),
    function(
        "sets.intersects",
        ([LIST, LIST], BOOL, lambda one, other: any(_place(other, each) >= 0 for each in one)),
    ),
)
