"""Functions on texts: `split`, `replace`, `format`, `find` and their like.

Source: `github.com/google/cel-go/ext/strings.go` (version 2) and Kubernetes' `regex` library.
Positions count characters.
"""

import re
from typing import Any

from shared.apimachinery.cel.functions import (
    INT,
    LIST,
    RESULT_MAX,
    STRING,
    TEXTS,
    TOO_LONG,
    bounded,
    function,
    method,
)
from shared.apimachinery.patterns import find_all

_ASCII_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
_ASCII_UPPER = {code: code - 32 for code in range(ord("a"), ord("z") + 1)}
_CLAUSE = re.compile(r"%(?:%|(?:\.([0-9]{1,3}))?([a-zA-Z]))")


def _at(text: str, place: int) -> str:
    if not 0 <= place <= len(text):
        raise IndexError(f"index out of range: {place}")
    return text[place : place + 1]


def _index(text: str, part: str, start: int = 0) -> int:
    if start and not 0 <= start <= len(text):
        raise IndexError(f"index out of range: {start}")
    return text.find(part, start)


def _last_index(text: str, part: str, end: int | None = None) -> int:
    if end is None:
        return text.rfind(part)
    if not 0 <= end <= len(text):
        raise IndexError(f"index out of range: {end}")
    return text.rfind(part, 0, end + len(part))


def _substring(text: str, start: int, end: int | None = None) -> str:
    last = len(text) if end is None else end
    if not 0 <= start <= last <= len(text):
        raise IndexError(f"invalid substring range. start: {start}, end: {last}")
    return text[start:last]


def _replace(text: str, old: str, new: str, count: int = -1) -> str:
    times = text.count(old) if count < 0 else min(count, text.count(old))
    if len(text) + times * (len(new) - len(old)) > RESULT_MAX:
        raise ValueError(TOO_LONG)
    return text.replace(old, new, count)


def _split(text: str, separator: str, count: int = -1) -> list[str]:
    if count == 0:
        return []
    if not separator:
        letters = list(text)
        cut = len(letters) if count < 0 else min(count - 1, len(letters))
        rest = "".join(letters[cut:])
        return [*letters[:cut], rest] if rest else letters
    return text.split(separator, count - 1 if count > 0 else -1)


def _join(parts: list[Any], separator: str = "") -> str:
    if not all(isinstance(one, str) for one in parts):
        raise TypeError("no such overload")
    return bounded(separator.join(parts))


def _format(template: str, values: list[Any]) -> str:
    left = iter(values)

    def clause(found: re.Match[str]) -> str:
        if found[2] is None:
            return "%"
        try:
            value = next(left)
        except StopIteration:
            raise IndexError("index out of range in the arguments of format") from None
        return _written(found[2], value, int(found[1]) if found[1] else 6)

    return bounded(_CLAUSE.sub(clause, template))


def _written(verb: str, value: Any, precision: int) -> str:
    match verb:
        case "s":
            return _shown(value)
        case "d":
            return str(value)
        case "f":
            return f"{value:.{precision}f}"
        case "e":
            return f"{value:.{precision}e}"
        case "b":
            return f"{int(value):b}"
        case "o":
            return f"{value:o}"
        case "x" | "X":
            text = value.encode().hex() if isinstance(value, str) else f"{value:x}"
            return text.upper() if verb == "X" else text
        case _:
            raise ValueError(f'could not parse formatting clause: unrecognized "{verb}"')


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_shown(k)}: {_shown(v)}" for k, v in sorted(value.items())) + "}"
    return "null" if value is None else str(value)


def _find(text: str, pattern: str) -> str:
    return next(iter(find_all(pattern, text, 1)), "")


def _find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    return find_all(pattern, text, limit)


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


FUNCTIONS = (
    method("charAt", ([STRING, INT], STRING, _at)),
    method("lowerAscii", ([STRING], STRING, lambda text: text.translate(_ASCII_LOWER))),
    method("upperAscii", ([STRING], STRING, lambda text: text.translate(_ASCII_UPPER))),
    method("trim", ([STRING], STRING, lambda text: text.strip())),
    method("reverse", ([STRING], STRING, lambda text: text[::-1])),
    method(
        "replace",
        ([STRING, STRING, STRING], STRING, _replace),
        ([STRING, STRING, STRING, INT], STRING, _replace),
    ),
    method("split", ([STRING, STRING], TEXTS, _split), ([STRING, STRING, INT], TEXTS, _split)),
    method(
        "substring", ([STRING, INT], STRING, _substring), ([STRING, INT, INT], STRING, _substring)
    ),
    method("join", ([TEXTS], STRING, _join), ([TEXTS, STRING], STRING, _join)),
    method("format", ([STRING, LIST], STRING, _format)),
    method("find", ([STRING, STRING], STRING, _find)),
    method(
        "findAll", ([STRING, STRING], TEXTS, _find_all), ([STRING, STRING, INT], TEXTS, _find_all)
    ),
    function("strings.quote", ([STRING], STRING, _quote)),
)
INDEX_OF = (([STRING, STRING], INT, _index), ([STRING, STRING, INT], INT, _index))
LAST_INDEX_OF = (([STRING, STRING], INT, _last_index), ([STRING, STRING, INT], INT, _last_index))
