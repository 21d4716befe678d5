"""Functions on lists: `isSorted`, `sum`, `min`, `max`, `indexOf`, `slice`, `sort`, and `sets`.

Source: `k8s.io/apiserver/pkg/cel/library/lists.go`, `github.com/google/cel-go/ext/lists.go` and
`sets.go`. The engine has some of them in a library of its own, which cannot be taken together
with a `reverse` of texts.
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
    Type,
    function,
    method,
)

# A rule may make such a list again and again.
_RANGE_MAX = 1_000


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


def _slice(items: list[Any], start: int, end: int) -> list[Any]:
    what = f"cannot slice({start}, {end})"
    if start < 0 or end < 0:
        raise ValueError(f"{what}, negative indexes not supported")
    if start > end:
        raise ValueError(f"{what}, start index must be less than or equal to end index")
    if end > len(items):
        raise ValueError(f"{what}, list is length {len(items)}")
    return items[start:end]


def _distinct(items: list[Any]) -> list[Any]:
    found: dict[Any, Any] = {}
    for one in items:
        found.setdefault(_identity(one), one)
    return list(found.values())


def _identity(one: Any) -> Any:
    """What equal values share; a number may equal one of another type."""
    plain = isinstance(one, str | int | float)
    return (isinstance(one, bool), one) if plain else repr(one)


def _sort(items: list[Any]) -> list[Any]:
    if len({type(one) for one in items}) > 1:
        raise ValueError("list elements must have the same type")
    return sorted(items)


def _flatten(items: list[Any], depth: int = 1) -> list[Any]:
    if depth < 0:
        raise ValueError("level must be non-negative")
    found: list[Any] = []
    for one in items:
        found += _flatten(one, depth - 1) if depth and isinstance(one, list) else [one]
    return found


def _range(count: int) -> list[int]:
    if count > _RANGE_MAX:
        raise ValueError(f"a list of more than {_RANGE_MAX} numbers would be made")
    return list(range(count))


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
    method("slice", ([LIST, INT, INT], LIST, _slice)),
    method("distinct", ([LIST], LIST, _distinct)),
    method("sort", ([LIST], LIST, _sort)),
    method("flatten", ([LIST], LIST, _flatten), ([LIST, INT], LIST, _flatten)),
    method("reverse", ([LIST], LIST, lambda items: items[::-1])),
    function("lists.range", ([INT], Type.List(INT), _range)),
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
