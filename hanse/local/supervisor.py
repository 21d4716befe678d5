"""Child processes that stay up: started, watched, restarted when they die, stopped together.

Each child logs to a file of its own. A child that dies is started again after a delay that doubles
up to a limit and shrinks back once it has stayed up. If this process is killed outright the kernel
ends the children too (Linux: parent-death signal), so nothing is left running.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from shared.runtime.parent_death import ending_with_parent

log = structlog.get_logger("hanse.supervisor")

RESTART_DELAY_FIRST = 0.2
RESTART_DELAY_MAX = 10.0
STABLE_SECONDS = 30.0
STOP_GRACE_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to run. The environment is complete: nothing is inherited but PATH and HOME."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    log_file: Path


class Child:
    """One command kept running until `stop`."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self.restarts = 0
        self.held = False
        self.last_end = ""
        """How it ended last, in words; empty while it never has."""
        self._process: asyncio.subprocess.Process | None = None
        self._released = asyncio.Event()
        self._released.set()

    @property
    def pid(self) -> int | None:
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if running and self._process is not None else None

    def kill(self) -> None:
        """End it as a crash would (SIGKILL)."""
        if self.pid is not None:
            # It may have ended a moment ago, which is learned a moment later.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def hold(self) -> None:
        """Kill it and do not start it again until `release`: a machine that is gone."""
        self.held = True
        self._released.clear()
        self.kill()

    def release(self) -> None:
        self.held = False
        self._released.set()

    async def run(self) -> None:
        """Keep it running until cancelled."""
        delay = RESTART_DELAY_FIRST
        loop = asyncio.get_running_loop()
        try:
            while True:
                await self._released.wait()
                started = loop.time()
                try:
                    self.last_end = f"it ended with status {await self._run_once()}"
                except OSError as err:
                    # No memory or no process left for it, perhaps; there may be later.
                    self.last_end = f"it could not be started: {err}"
                if self.held:
                    continue
                if loop.time() - started > STABLE_SECONDS:
                    delay = RESTART_DELAY_FIRST
                name, end = self.command.name, self.last_end
                log.warning("child.died", child=name, end=end, again_in=delay)
                await asyncio.sleep(delay)
                delay = min(delay * 2, RESTART_DELAY_MAX)
                self.restarts += 1
        finally:
            await self._stop()

    async def _run_once(self) -> int:
        inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        with self.command.log_file.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *self.command.arguments,
                env={**inherited, **self.command.environment},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=ending_with_parent(signal.SIGKILL),
                # A Ctrl-C is ours to hand on, in our order.
                start_new_session=True,
            )
        return await self._process.wait()

    async def _stop(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(STOP_GRACE_SECONDS):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


class Supervisor:
    """Children by name; stops them in the reverse of the order they were started."""

    def __init__(self) -> None:
        self._children: dict[str, tuple[Child, asyncio.Task[None]]] = {}

    def start(self, command: Command) -> Child:
        child = Child(command)
        task = asyncio.create_task(child.run(), name=f"child-{command.name}")
        self._children[command.name] = (child, task)
        return child

    def child(self, name: str) -> Child:
        return self._children[name][0]

    def children(self) -> list[Child]:
        return [child for child, _ in self._children.values()]

    async def stop(self, *names: str) -> None:
        """Stop these children (all: without names), the last started first."""
        for name in names or tuple(reversed(self._children)):
            _, task = self._children.pop(name)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
