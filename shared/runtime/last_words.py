"""The end of a process's log, for whoever has to say that it failed."""

from pathlib import Path

_BYTES_MAX = 4_000


def last_words(log_file: Path, *, lines: int) -> list[str]:
    """Return the last *lines* that are not empty; none where there is no log to be read."""
    try:
        with log_file.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _BYTES_MAX))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    return [line for line in text.splitlines() if line.strip()][-lines:]
