"""Which subjects a filter takes: `*` is one token, `>` at the end one or more."""

from collections.abc import Iterable


def matches(pattern: str, subject: str) -> bool:
    wanted, found = pattern.split("."), subject.split(".")
    for index, token in enumerate(wanted):
        if token == ">":
            return len(found) > index
        if index >= len(found) or token not in ("*", found[index]):
            return False
    return len(wanted) == len(found)


def matches_any(patterns: Iterable[str], subject: str) -> bool:
    """No pattern at all takes everything."""
    found = tuple(patterns)
    return not found or any(matches(pattern, subject) for pattern in found)
