"""How soon another takes over, and how much disturbance a holder survives."""

import os
import secrets
import socket
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Life:
    """One life of a process."""

    identity: str
    """Nobody else's, not even that of an earlier life of the process."""

    dead: frozenset[str] = frozenset()
    """Identities whose lives are over beyond doubt: what they held may be taken at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseSettings:
    """`duration` over `deadline` is how much faster one clock may run than another: 4/3 here.

    The figures of client-go are 15, 10 and 2 seconds; they bear an API server that is slow for
    long, and have everything wait as long for a holder that died.
    """

    name: str = ""
    """Who holds it, for people; without it the host and the number of the process."""

    file: Path | None = None
    """Locked for as long as the process lives, so that the next one in its place need not wait for
    it when it was killed (`shared/lease/life.py`): on a disk of its machine, one for each."""

    life: Life | None = None
    """This process's own, once it has begun; without one each lease has another."""

    renewal: timedelta = timedelta(seconds=1)
    """From one renewal to the next."""

    deadline: timedelta = timedelta(seconds=3)
    """A holder that has not renewed for so long ends its work."""

    duration: timedelta = timedelta(seconds=4)
    """So long others wait for a holder that says nothing."""

    def __post_init__(self) -> None:
        if not self.renewal < self.deadline < self.duration:
            raise ValueError("a lease is renewed before its deadline, which is before others act")

    def new_identity(self) -> str:
        """Who holds it, as others see it: another one for each life of each process."""
        name = self.name or f"{socket.gethostname()}-{os.getpid()}"
        return f"{name}-{secrets.token_hex(4)}"
