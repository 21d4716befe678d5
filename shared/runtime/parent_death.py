"""Ending a child when its parent ends, however that happens (Linux: parent-death signal)."""

import ctypes
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
# Loaded here and not in the child: a fork of a process with threads may wait for ever for a lock
# of the loader that some thread held in that moment, and its parent with it.
_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


def ending_with_parent(number: int) -> Callable[[], None]:
    """Return what a child does before it becomes its program; signal *number* will end it."""

    def prepare() -> None:
        if _prctl is not None:
            _prctl(_PR_SET_PDEATHSIG, number)

    return prepare
