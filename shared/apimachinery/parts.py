"""Reading parts of manifests that users wrote: absent, null and of another type are the same.

What is returned is shared with the manifest and must not be changed.
"""

from collections.abc import Mapping, Sequence
from typing import Any


def section(parent: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    """Return the object at *path*, or an empty one."""
    place: Any = parent
    for name in path:
        # Manifests are decoded JSON: asking for the exact type is many times as fast.
        place = place.get(name) if type(place) is dict else None
    return place if type(place) is dict else {}


def entries(parent: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    """Return the objects in the list under *name*, or an empty list."""
    found = parent.get(name)
    return [one for one in found if type(one) is dict] if type(found) is list else ()
