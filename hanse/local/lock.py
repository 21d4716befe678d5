"""One federation per data directory: a lock that goes when its process goes, however it ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class DirectoryInUse(RuntimeError):
    """Another process holds the directory; the message names both."""


@contextmanager
def hold(directory: Path) -> Iterator[None]:
    """Hold *directory* (made if absent, mode 0700) until left.

    Raises `DirectoryInUse`, and OSError where the directory cannot be used. The file stays behind:
    removing it would let two processes lock different files of the same name.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as err:
            holder = os.pread(descriptor, 20, 0).decode(errors="replace").strip()
            who = f" (process {holder})" if holder else ""
            raise DirectoryInUse(
                f"{directory} is in use by another hanse{who}: choose another --data-dir, "
                "or stop that one first"
            ) from err
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)
