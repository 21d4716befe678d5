"""Who a process is, and who of those before it in its place is dead beyond doubt.

A process keeps a file locked for as long as it lives, and says in it who it is. The kernel lets go
of the lock when the process has ended, by whatever cause, and not before; one that is only stopped
keeps it. So whoever has the lock knows that all who stand in the file are dead, and need not wait
for the leases that they held. Of another machine, or of the time before this one was started, a
file proves nothing, so names stand there with the kernel's boot id.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import structlog

from shared.lease.settings import LeaseSettings, Life

log = structlog.get_logger("hanse.lease")

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_KEPT_MAX = 8
"""Some may have died before they had a lease, which names one from before them."""


@contextmanager
def living(settings: LeaseSettings) -> Iterator[LeaseSettings]:
    """Lock the file that *settings* name, where they do; yields them with this life.

    The file must be on a disk of this machine. Where another process has it nobody is known to be
    dead. Raises OSError where it cannot be written.
    """
    life = Life(settings.new_identity())
    boot = _boot_id()
    if settings.file is None or not boot:
        yield replace(settings, life=life)
        return
    settings.file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(settings.file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.warning("lease.file_in_use", file=str(settings.file))
        else:
            life = replace(life, dead=_succeed(descriptor, boot, life.identity))
        yield replace(settings, life=life)
    finally:
        os.close(descriptor)


def _succeed(descriptor: int, boot: str, identity: str) -> frozenset[str]:
    """Write *identity* behind those who had the file before; return them."""
    with os.fdopen(os.dup(descriptor), "r+", encoding="utf-8", errors="replace") as file:
        # The last line may have been left unfinished.
        lines = [line for line in file.read().split("\n")[:-1] if line.startswith(f"{boot} ")]
        before = lines[-_KEPT_MAX:]
        file.seek(0)
        file.write("".join(f"{line}\n" for line in (*before, f"{boot} {identity}")))
        file.truncate()
    return frozenset(line.removeprefix(f"{boot} ") for line in before)


def _boot_id() -> str:
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        # Another system than Linux: nothing is known of anybody.
        return ""
