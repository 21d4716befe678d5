r"""The part of Kubernetes' JSONPath that a CustomResourceDefinition may use.

`.spec.replicas`, `.metadata.annotations['a.b/c']`, `.a\.b`, `.items[0]`, `.items[*].name`,
`.conditions[?(@.type=="Ready")].status`, `..name`; braces around the whole are accepted. RFC 9535
libraries differ in the escapes, the missing `$` and in what a filter compares, hence this one.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from shared.apimachinery.short_cache import cached_when_short

Path = Callable[[Any], list[Any]]
_Step = Callable[[Any], Iterator[Any]]

_NAME = re.compile(r"\.((?:\\.|[^.\[\]\\])+)")
_DESCEND = re.compile(r"\.\.((?:\\.|[^.\[\]\\])+)")
_QUOTED = re.compile(r"""\[\s*(?:'((?:\\.|[^'\\])*)'|"((?:\\.|[^"\\])*)")\s*\]""")
_INDEX = re.compile(r"\[\s*(-?[0-9]+)\s*\]")
_SLICE = re.compile(r"\[\s*(-?[0-9]*)\s*:\s*(-?[0-9]*)\s*\]")
_EVERY = re.compile(r"\[\s*\*\s*\]|\.\*")
_FILTER = re.compile(
    r"""\[\?\(\s*@((?:\.|\[)[^=!<>]*?)?\s*
        (?:(==|!=|<=|>=|<|>)\s*('(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|[^)\s]+))?\s*\)\]""",
    re.VERBOSE,
)
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda left, right: bool(left == right),
    "!=": lambda left, right: bool(left != right),
    "<": lambda left, right: bool(left < right),
    "<=": lambda left, right: bool(left <= right),
    ">": lambda left, right: bool(left > right),
    ">=": lambda left, right: bool(left >= right),
}


@cached_when_short(4096)
def compile_path(text: str) -> Path:
    """Return what finds every value at *text*; raises ValueError where it is no such path."""
    source = text.strip()
    if source.startswith("{") and source.endswith("}"):
        source = source[1:-1].strip()
    source = source.removeprefix("$")
    if source and source[0] not in ".[":
        source = f".{source}"
    steps = tuple(_parse(source, text))

    def find(value: Any) -> list[Any]:
        found = [value]
        for step in steps:
            found = list(_once(deeper for one in found for deeper in step(one)))
        return found

    return find


def _once(values: Iterable[Any]) -> Iterator[Any]:
    """Pass each object and list on once: `..a..a..a` reaches the same one in very many ways."""
    seen: set[int] = set()
    for value in values:
        if isinstance(value, dict | list):
            if id(value) in seen:
                continue
            seen.add(id(value))
        yield value


def first(text: str, value: Any) -> Any:
    """Return the first value at the path *text*, or None."""
    found = compile_path(text)(value)
    return found[0] if found else None


def _parse(source: str, whole: str) -> Iterator[_Step]:
    position = 0
    if source == ".":
        return
    while position < len(source):
        for pattern, build in _STEPS:
            if found := pattern.match(source, position):
                yield build(found)
                position = found.end()
                break
        else:
            raise ValueError(f"invalid JSON path {whole!r}: unexpected {source[position:]!r}")


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def _child(name: str) -> _Step:
    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, dict) and name in value:
            yield value[name]

    return step


def _descendants(found: re.Match[str]) -> _Step:
    name = _unescape(found[1])

    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, dict):
            if name in value:
                yield value[name]
            for inner in value.values():
                yield from step(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from step(inner)

    return step


def _element(found: re.Match[str]) -> _Step:
    index = int(found[1])

    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, list) and -len(value) <= index < len(value):
            yield value[index]

    return step


def _range(found: re.Match[str]) -> _Step:
    bounds = slice(*(int(part) if part else None for part in found.groups()))

    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, list):
            yield from value[bounds]

    return step


def _every(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        yield from value
    elif isinstance(value, dict):
        yield from value.values()


def _filter(found: re.Match[str]) -> _Step:
    path, operator, literal = found.groups()
    inner = compile_path(path or ".")
    wanted = _literal(literal) if literal is not None else None

    def matches(element: Any) -> bool:
        values = inner(element)
        if operator is None:
            return bool(values)
        try:
            return any(_COMPARISONS[operator](value, wanted) for value in values)
        except TypeError:
            return False

    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, list):
            yield from (element for element in value if matches(element))

    return step


def _literal(text: str) -> Any:
    if text[0] in "'\"":
        return _unescape(text[1:-1])
    if text in {"true", "false"}:
        return text == "true"
    try:
        return float(text) if "." in text else int(text)
    except ValueError:
        return text


_STEPS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], _Step]], ...] = (
    (_DESCEND, _descendants),
    (_EVERY, lambda _: _every),
    (_NAME, lambda found: _child(_unescape(found[1]))),
    (_QUOTED, lambda found: _child(_unescape(found[1] if found[1] is not None else found[2]))),
    (_INDEX, _element),
    (_SLICE, _range),
    (_FILTER, _filter),
)
