"""What happened, line by line, and what must not have happened."""

import hashlib
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar

actor: ContextVar[str] = ContextVar("actor", default="world")
"""Who is at work: tasks inherit it from the process that started them."""

EVERYWHERE = "everywhere"
"""Where trouble is that concerns the hub itself, beside the names of members."""


class Violation(Exception):
    """An invariant does not hold."""

    def __init__(self, invariant: str, what: str) -> None:
        super().__init__(f"{invariant}: {what}")
        self.invariant = invariant


class History:
    """The event log of one seed: the last lines, and a digest of all."""

    def __init__(self, clock: Callable[[], float], *, lines_max: int | None) -> None:
        self._clock = clock
        self._digest = hashlib.blake2b(digest_size=12)
        self.lines: deque[str] = deque(maxlen=lines_max)
        self.count = 0
        self.violations: list[Violation] = []

    def note(self, what: str) -> None:
        line = f"{self._clock():11.6f} {actor.get():<14} {what}"
        self.count += 1
        self._digest.update(line.encode())
        self.lines.append(line)

    def violated(self, invariant: str, what: str) -> None:
        """Remember that *invariant* was broken; the run ends at its next step."""
        self.note(f"VIOLATED {invariant}: {what}")
        self.violations.append(Violation(invariant, what))

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()
