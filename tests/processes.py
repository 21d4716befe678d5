"""Child processes and loopback ports for tests that need a program of their own."""

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from hanse.local.layout import free_port


@contextmanager
def child(
    command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run *command* until left, its output in *log*; *environment* is added to this one's."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)


def free_ports(count: int) -> list[int]:
    """Return loopback ports that nobody listens on now; no other process of the suite gets them."""
    found: list[int] = []
    while len(found) < count:
        found.append(free_port(found))
    return found
