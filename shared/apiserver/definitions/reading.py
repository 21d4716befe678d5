"""Reading what a user wrote: every part may be missing or of another type."""

from collections.abc import Mapping
from typing import Any


def at(value: Any, *path: str) -> Any:
    """Return what is at *path*, or None."""
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def part(value: Any, name: str, kind: type) -> Any:
    """Return the part *name* where it is of the type it should have, else None."""
    found = value.get(name) if isinstance(value, Mapping) else None
    return found if isinstance(found, kind) else None


def entries(value: Any, name: str) -> list[Any]:
    """Return the list under *name*, or an empty one."""
    return part(value, name, list) or []


def mappings(value: Any) -> list[Mapping[str, Any]]:
    """Return the elements of a list that are objects."""
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []
