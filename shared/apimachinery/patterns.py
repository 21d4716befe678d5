"""Regular expressions as Go reads them: RE2's dialect, in time linear in the text.

Kubernetes compiles a schema's `pattern` with Go's `regexp`, which is RE2. A pattern that RE2 does
not read is a fault of the definition that brings it (ADR 9); nothing falls back to Python's `re`,
which backtracks.
"""

from functools import lru_cache
from itertools import islice
from typing import Any

import re2

# Eight times RE2's own limit: some published definitions repeat large classes hundreds of times.
_MEMORY_MAX_BYTES = 64 * 1024 * 1024
# What RE2 says, and what Go's `regexp/syntax` says of the same.
_WORDS = {
    "missing )": "missing closing )",
    "missing ]": "missing closing ]",
    "unexpected )": "unexpected )",
    "bad repetition operator": "invalid nested repetition operator",
    "invalid repetition size": "invalid repeat count",
    "no argument for repetition operator": "missing argument to repetition operator",
    "invalid perl operator": "invalid or unsupported Perl syntax",
    "invalid named capture group": "invalid named capture",
}


def pattern_fault(pattern: str) -> str | None:
    """Return why RE2 does not read *pattern*, as Go words it; None if it does."""
    found = _compiled(pattern)
    return found if isinstance(found, str) else None


def matches(pattern: str, text: str) -> bool:
    """Whether *pattern* is found anywhere in *text*; one that cannot be read refuses nothing."""
    found = _compiled(pattern)
    return isinstance(found, str) or found.search(_bytes(text)) is not None


def find_all(pattern: str, text: str, limit: int = -1) -> list[str]:
    """Return what *pattern* finds, at most *limit*; raises ValueError for an unreadable one."""
    found = _compiled(pattern)
    if isinstance(found, str):
        raise ValueError(found)  # noqa: TRY004 - the text is the fault.
    places = found.finditer(_bytes(text))
    return [one.group(0).decode() for one in islice(places, None if limit < 0 else limit)]


@lru_cache(maxsize=1_024)
def _compiled(pattern: str) -> Any:
    """Return RE2's program, or the fault as text."""
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY_MAX_BYTES
    try:
        return re2.compile(_bytes(pattern), options)
    except re2.error as err:
        said = err.args[0].decode(errors="replace") if err.args else "unreadable"
    code, _, argument = said.partition(": ")
    shown = pattern if code.startswith(("missing", "unexpected")) else argument
    return f"error parsing regexp: {_WORDS.get(code, code)}: `{shown}`"


def _bytes(text: str) -> bytes:
    # JSON may carry half of a surrogate pair, which Go reads as U+FFFD.
    return text.encode("utf-8", "replace")
