"""Paths within an object as interpreters declare them: `spec.tasks[*].template.spec`."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shared.apimachinery.manifest import Manifest, copy

ANY = "*"
_STEP = re.compile(
    r"""\.?(?P<name>[A-Za-z_$][-A-Za-z0-9_$]*)"""
    r"""|\.?(?P<any>\*)|(?P<every>\[\*\])|\[(?P<quote>["'])(?P<text>[^"']+)(?P=quote)\]"""
)

Path = tuple[str, ...]
"""Its steps; `ANY` is every element of a list or value of a map."""


def parse_path(text: str, *, single: bool = False) -> Path:
    """Raise ValueError for what is no path; *single*: it must lead to one place."""
    steps, place = [], 0
    while place < len(text):
        found = _STEP.match(text, place)
        if found is None:
            raise ValueError(f"is no path from {text[place:][:20]!r} on")
        steps.append(found["name"] or found["text"] or ANY)
        place = found.end()
    if not steps:
        raise ValueError("a path such as spec.replicas")
    if single and ANY in steps:
        raise ValueError("must lead to one place, without *")
    return tuple(steps)


def values_at(value: Any, path: Sequence[str]) -> Iterator[Any]:
    """Yield what lies at *path*, in the object's own order; null is as good as absent."""
    if value is None:
        return
    if not path:
        yield value
        return
    step, *rest = path
    if step == ANY:
        inner = value.values() if isinstance(value, Mapping) else value
        for each in inner if isinstance(value, Mapping | list) else ():
            yield from values_at(each, rest)
    elif isinstance(value, Mapping):
        yield from values_at(value.get(step), rest)


def value_at(value: Any, path: Sequence[str]) -> Any:
    """Return the first of `values_at`, or None."""
    return next(values_at(value, path), None)


def put(place: dict[str, Any], path: Sequence[str], value: Any) -> None:
    """Set what lies at *path*; whatever is on the way and no map gives way to one."""
    *parents, last = path
    for name in parents:
        below = place.get(name)
        if not isinstance(below, dict):
            below = place[name] = {}
        place = below
    place[last] = value


def without(manifest: Manifest, paths: Sequence[Path]) -> Manifest:
    """Return *manifest* less what lies at *paths*; itself where nothing does."""
    if not any(True for path in paths for _ in values_at(manifest, path)):
        return manifest
    changed = copy(manifest)
    for path in paths:
        _remove(changed, path)
    return changed


def _remove(value: Any, path: Sequence[str]) -> None:
    step, *rest = path
    if not rest:
        if isinstance(value, dict | list) and step == ANY:
            value.clear()
        elif isinstance(value, dict):
            value.pop(step, None)
    elif step == ANY:
        for each in value.values() if isinstance(value, dict) else value:
            if isinstance(each, dict | list):
                _remove(each, rest)
    elif isinstance(value, dict) and isinstance(value.get(step), dict | list):
        _remove(value[step], rest)
