"""A service as a process: run its tasks until told to stop, or until one of them fails.

SIGTERM or SIGINT: not ready, tasks cancelled and given `grace` to end, then adapters close in the
reverse of the order they were opened. A second signal exits at once. A background task that
returns is a fault like one that raises.
"""

import asyncio
import contextlib
import gc
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from datetime import timedelta
from typing import Any, TypeVar

import structlog
import uvloop

from shared.runtime.environment import BadSetting, read_settings
from shared.runtime.open_files import allow_open_files
from shared.runtime.probes import Readiness

AnySettings = TypeVar("AnySettings")

log = structlog.get_logger("hanse.process")

Runnable = Callable[[], Coroutine[Any, Any, None]]


class TaskEnded(Exception):
    """A task that should run for ever returned."""


async def run_until_stopped(
    tasks: Mapping[str, Runnable], readiness: Readiness, *, drain: timedelta = timedelta(0)
) -> None:
    """Run *tasks* by name; ready once all have been started.

    Once told to stop it is not ready, and goes on for as long as *drain* says: whoever sends it
    work has to hear of that first.

    Raises the first task's failure as an `ExceptionGroup`; returns after a signal.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        if stop.is_set():
            os._exit(130)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    try:
        async with asyncio.TaskGroup() as group:
            running = [
                group.create_task(_run_for_ever(name, task), name=name)
                for name, task in tasks.items()
            ]
            readiness.started = True
            await stop.wait()
            readiness.started = False
            log.info("process.stopping")
            await asyncio.sleep(drain.total_seconds())
            for task in running:
                task.cancel()
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def _run_for_ever(name: str, task: Runnable) -> None:
    await task()
    raise TaskEnded(f"task {name} returned")


def _calm_collector() -> None:
    """Look for cycles less often.

    Stores hold hundreds of thousands of plain dicts, which the collector walks in vain: at
    Python's own thresholds that is a third of the time of a write.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _finish_turns() -> None:
    """Ask Linux not to interrupt whoever is at work each time that a message arrives for us.

    Where processors are short, ten services that wake one another would otherwise change places
    for every message; a turn later each finds several, which cost far less together. Where a
    processor is free, nothing waits (sched(7), SCHED_BATCH).
    """
    if sys.platform == "linux":
        # Refused in some sandboxes, and no more than advice.
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def main(settings: type[AnySettings], serve: Callable[[AnySettings], Awaitable[None]]) -> int:
    """Entry point of every service: settings from the environment, then `serve`; exit status."""
    try:
        found = read_settings(settings, os.environ)
    except BadSetting as err:
        sys.stderr.write(f"{err}\n")
        return 2

    async def run() -> None:
        allow_open_files()
        _finish_turns()
        _calm_collector()
        await serve(found)

    try:
        uvloop.run(run())
    except KeyboardInterrupt:
        return 130
    except BadSetting as err:
        # Of those that only show when they are used, such as the contents of a file.
        sys.stderr.write(f"{err}\n")
        return 2
    except Exception:
        log.exception("process.failed")
        return 1
    return 0
