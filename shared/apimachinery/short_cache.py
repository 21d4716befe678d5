"""A cache for what is read from short texts again and again; a long text is read each time.

Clients choose these texts. Keeping thousands of them is cheap only while none is long.
"""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import TypeVar

CHARACTERS_MAX = 512

Result = TypeVar("Result")


def cached_when_short(entries: int) -> Callable[[Callable[[str], Result]], Callable[[str], Result]]:
    """Keep up to *entries* results by their text, which must have at most `CHARACTERS_MAX`."""

    def decorate(read: Callable[[str], Result]) -> Callable[[str], Result]:
        kept = lru_cache(maxsize=entries)(read)

        @wraps(read)
        def reader(text: str) -> Result:
            return kept(text) if len(text) <= CHARACTERS_MAX else read(text)

        return reader

    return decorate
