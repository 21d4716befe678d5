"""What an expectation says of an answer: pure.

A mapping must be found in the answer, which may have more; a list must match element by element; a
scalar must be equal. The tags of the scripts say something else: anything, nothing, a pattern.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_MISSING = object()


@dataclass(frozen=True, slots=True)
class Anything:
    """`!any`: there, whatever it is."""

    def faults(self, found: Any) -> Iterator[str]:
        if found is _MISSING:
            yield "missing"


@dataclass(frozen=True, slots=True)
class Absent:
    """`!absent`: not there."""

    def faults(self, found: Any) -> Iterator[str]:
        if found is not _MISSING:
            yield f"should be absent, is {_short(found)}"


@dataclass(frozen=True, slots=True)
class Pattern:
    """`!like`: a string in which the regular expression is found."""

    expression: str

    def faults(self, found: Any) -> Iterator[str]:
        if not isinstance(found, str) or re.search(self.expression, found) is None:
            yield f"{_short(found)} is not like {self.expression!r}"


@dataclass(frozen=True, slots=True)
class Contains:
    """`!contains`: a list with these elements among others, or a string with this within."""

    parts: Any

    def faults(self, found: Any) -> Iterator[str]:
        if isinstance(found, str):
            if str(self.parts) not in found:
                yield f"{_short(found)} does not contain {self.parts!r}"
            return
        if not isinstance(found, list):
            yield f"{_short(found)} is no list"
            return
        for part in self.parts if isinstance(self.parts, list) else [self.parts]:
            if all(list(mismatches(part, element)) for element in found):
                yield f"no element matches {_short(part)} in {_short(found)}"


@dataclass(frozen=True, slots=True)
class Lacks:
    """`!lacks`: a list without any of these elements, or a string without this within."""

    parts: Any

    def faults(self, found: Any) -> Iterator[str]:
        if not isinstance(found, str | list):
            yield f"{_short(found)} is neither a list nor a string"
            return
        for part in self.parts if isinstance(self.parts, list) else [self.parts]:
            if not list(Contains(part).faults(found)):
                yield f"{_short(found)} has {_short(part)}"


@dataclass(frozen=True, slots=True)
class Exactly:
    """`!exactly`: this and no more."""

    value: Any

    def faults(self, found: Any) -> Iterator[str]:
        if not _equal(found, self.value):
            yield f"{_short(found)}, expected exactly {_short(self.value)}"


@dataclass(frozen=True, slots=True)
class Length:
    """`!length`: so many elements."""

    count: int

    def faults(self, found: Any) -> Iterator[str]:
        if not isinstance(found, list | dict | str) or len(found) != self.count:
            yield f"not of length {self.count}: {_short(found)}"


@dataclass(frozen=True, slots=True)
class Not:
    """`!not`: anything that does not match this, nothing included."""

    value: Any

    def faults(self, found: Any) -> Iterator[str]:
        if not list(mismatches(self.value, found)):
            yield f"{_short(found)} should not match"


def mismatches(expected: Any, found: Any, path: str = "") -> Iterator[str]:
    """Yield a sentence for each place where *found* is not as *expected*."""
    at = path or "the answer"
    match expected:
        case (
            Anything() | Absent() | Pattern() | Contains() | Lacks() | Exactly() | Length() | Not()
        ):
            for fault in expected.faults(found):
                yield f"{at}: {fault}"
        case Mapping():
            yield from _mapping(expected, found, path, at)
        case list():
            yield from _list(expected, found, path, at)
        case _:
            if not _equal(found, expected):
                yield f"{at}: {_short(found)}, expected {_short(expected)}"


def _mapping(expected: Mapping[Any, Any], found: Any, path: str, at: str) -> Iterator[str]:
    if not isinstance(found, Mapping):
        yield f"{at}: {_short(found)} is no object"
        return
    for name, value in expected.items():
        yield from mismatches(value, found.get(name, _MISSING), f"{path}.{name}".lstrip("."))


def _list(expected: list[Any], found: Any, path: str, at: str) -> Iterator[str]:
    if not isinstance(found, list):
        yield f"{at}: {_short(found)} is no list"
        return
    if len(found) != len(expected):
        yield f"{at}: {len(found)} elements, expected {len(expected)}: {_short(found)}"
        return
    for position, (value, element) in enumerate(zip(expected, found, strict=True)):
        yield from mismatches(value, element, f"{path}[{position}]")


def _equal(found: Any, expected: Any) -> bool:
    """Equal as JSON is: to Python True is 1."""
    return bool(found == expected) and isinstance(found, bool) == isinstance(expected, bool)


def _short(value: Any) -> str:
    if value is _MISSING:
        return "nothing"
    text = repr(value)
    return text if len(text) <= 600 else f"{text[:600]}..."
