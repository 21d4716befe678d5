"""A disk that can be full, mounted where NATS keeps what it keeps.

Mounting needs a mount namespace of our own (`enter_namespace`), which ends with the process that
has it: nothing is left mounted, however it ends.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_MARK = "HANSE_CHAOS_MOUNTS"
# NATS sets aside what its streams may grow to, and takes no more than three quarters of a disk.
_SIZE = "3g"


class Disk:
    """A file system in memory, at *folder*."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def fill(self) -> None:
        """Leave room for what is there and for nothing else."""
        known = os.statvfs(self._folder)
        self._resize(str((known.f_blocks - known.f_bfree) * known.f_frsize))

    def free(self) -> None:
        self._resize(_SIZE)

    def _resize(self, size: str) -> None:
        subprocess.run(
            ["mount", "-o", f"remount,size={size}", "tmpfs", str(self._folder)], check=True
        )


@contextmanager
def open_disk(folder: Path) -> Iterator[Disk]:
    """Mount one on *folder*; raises RuntimeError where that is not allowed."""
    if not may_mount():
        raise RuntimeError("no mount namespace of our own: see enter_namespace")
    options = f"size={_SIZE},mode=0700"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def may_mount() -> bool:
    return _MARK in os.environ


def enter_namespace(module: str, arguments: Sequence[str]) -> None:
    """Start this program anew in a mount namespace of its own, if the system has one for us."""
    unshare = shutil.which("unshare")
    if may_mount() or unshare is None:
        return
    apart = [unshare, "--map-root-user", "--mount"]
    if subprocess.run([*apart, "true"], capture_output=True, check=False).returncode == 0:
        command = [*apart, sys.executable, "-m", module, *arguments]
        os.execve(unshare, command, {**os.environ, _MARK: "1"})
