"""Rules for durations in the spec of a policy: as Go writes them, and within bounds. Pure."""

import re
from collections.abc import Iterable

from shared.apimachinery.durations import parse_duration
from shared.apiserver.rules.selection import wrong
from shared.errors import FieldError

_GO_DURATION = re.compile(r"([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+|0")


def check_duration(text: str, path: str, *, least: float) -> Iterable[FieldError]:
    """Let it be empty, or from *least* seconds to a year."""
    if not text:
        return
    if not _GO_DURATION.fullmatch(text):
        yield wrong(path, text, "must be a duration such as 90s or 1h30m")
        return
    seconds = parse_duration(text)
    if not least <= seconds <= 366 * 86_400:
        yield wrong(path, text, f"must be from {least:g}s to a year")
