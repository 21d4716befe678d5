"""Children that stay up: also one that could not be started, and one that is just ending."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from hanse.local.supervisor import Child, Command, Supervisor


@pytest.fixture
async def supervisor() -> AsyncIterator[Supervisor]:
    found = Supervisor()
    yield found
    await found.stop()


def command(tmp_path: Path, *arguments: str) -> Command:
    return Command(name="child", arguments=arguments, log_file=tmp_path / "child.log")


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.01)


async def test_a_child_that_dies_is_started_again_and_its_end_is_known(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    child = supervisor.start(command(tmp_path, "/bin/sh", "-c", "exit 3"))
    await until(lambda: child.restarts)
    assert child.last_end == "it ended with status 3"


async def test_a_child_that_could_not_be_started_is_started_later(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    program = tmp_path / "program"
    child = supervisor.start(command(tmp_path, str(program)))
    await until(lambda: child.last_end)
    assert "could not be started" in child.last_end
    assert str(program) in child.last_end
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o700)
    await until(lambda: child.pid)


async def test_killing_a_child_whose_end_has_not_been_learned_yet_is_no_error(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    child = supervisor.start(command(tmp_path, "/bin/sh", "-c", "exec sleep 60"))
    await until(lambda: child.pid)
    first = child.pid
    assert first is not None
    child.kill()
    _wait_for_the_end(first)
    # Nothing has run since, so the child still counts as alive.
    assert child.pid == first
    child.kill()
    await until(lambda: _runs_anew(child, first))


def _wait_for_the_end(pid: int) -> None:
    """Return when nobody can signal *pid* any more: it ended and another thread reaped it."""
    with contextlib.suppress(ProcessLookupError):
        while True:
            os.kill(pid, 0)


def _runs_anew(child: Child, first: int) -> bool:
    return child.pid not in (None, first)
