"""A running HAProxy: said things by its runtime API, begun anew where that cannot do it.

It is either a child of this process, a master with its worker, or somebody else's (systemd), who is
asked by a command of the administrator's to read the file again.
"""

import asyncio
import contextlib
import shlex
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from services.traffic.core.renderers.haproxy import is_done, read_counters
from shared.errors import HanseError
from shared.runtime.parent_death import ending_with_parent

log = structlog.get_logger("hanse.front")

_ANSWER_SECONDS = 2.0
_STOP_SECONDS = 5.0
_POLL_SECONDS = 0.02
_START_SECONDS = 10.0


class HaproxyFailed(HanseError):
    """It did not start, or does not read its file."""


class Haproxy:
    """One HAProxy by its file and its socket; *reload* is the command that has it read the file."""

    def __init__(self, file: Path, socket: Path, reload: str, binary: str = "haproxy") -> None:
        self._file = file
        self._socket = socket
        self._reload = shlex.split(reload)
        self._binary = binary
        self._child: asyncio.subprocess.Process | None = None

    @asynccontextmanager
    async def running(self, configuration: str) -> AsyncIterator[None]:
        """Have it run by *configuration*, and end it afterwards where it is this process' own."""
        if self._reload:
            await self.begin_anew(configuration)
            yield
            return
        self._write(configuration)
        command = [self._binary, "-W", "-db", "-f", str(self._file)]
        self._child = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            preexec_fn=ending_with_parent(signal.SIGTERM),
            # A terminal's interrupt goes to the whole group, and it ends after this process.
            start_new_session=True,
        )
        try:
            await self._answering()
            yield
        finally:
            await self._end(self._child)

    async def watch(self) -> None:
        """Raise `HaproxyFailed` when it ends, where it is this process' own."""
        assert self._child is not None or self._reload, "it runs"
        if self._child is None:
            await asyncio.Event().wait()
            return
        raise HaproxyFailed(f"haproxy ended with status {await self._child.wait()}")

    async def tell(self, commands: Sequence[str], configuration: str) -> bool:
        """Say *commands*, one after the other; False where one of them was not carried out.

        *configuration* says the same, for when it begins anew by somebody else's doing.
        """
        self._write(configuration)
        for command in commands:
            answer = await self._ask(command)
            if not is_done(answer):
                log.warning("front.refused", command=command, answer=answer.strip())
                return False
        return True

    async def begin_anew(self, configuration: str) -> None:
        """Have it read *configuration*; who is connected stays so. Raises `HaproxyFailed`."""
        checked = self._file.with_suffix(".new")
        checked.write_text(configuration)
        await self._run([self._binary, "-c", "-q", "-f", str(checked)])
        checked.replace(self._file)
        if self._reload:
            await self._run(self._reload)
        elif self._child is not None:
            if self._child.returncode is not None:
                raise HaproxyFailed(f"haproxy ended with status {self._child.returncode}")
            before = await self._worker()
            self._child.send_signal(signal.SIGUSR2)
            await self._answering(before)

    async def counters(self) -> tuple[str, Mapping[tuple[str, str], tuple[int, int]]]:
        """Return who counts, and requests and errors by backend and server."""
        return await self._worker(), read_counters(await self._ask("show stat"))

    async def _worker(self) -> str:
        """Tell apart one process that counts from the next."""
        lines = (await self._ask("show info")).splitlines()
        return next((one.partition(": ")[2] for one in lines if one.startswith("Pid: ")), "")

    async def _answering(self, before: str = "") -> None:
        """Wait until a worker other than *before* answers."""
        try:
            async with asyncio.timeout(_START_SECONDS):
                while True:
                    with contextlib.suppress(HaproxyFailed):
                        if await self._worker() != before:
                            return
                    if self._child is not None and self._child.returncode is not None:
                        raise HaproxyFailed(f"haproxy ended with {self._child.returncode}")
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError as err:
            raise HaproxyFailed(f"no answer on {self._socket}") from err

    async def _ask(self, command: str) -> str:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                reader, writer = await asyncio.open_unix_connection(str(self._socket))
                try:
                    writer.write(f"{command}\n".encode())
                    return (await reader.read(-1)).decode(errors="replace")
                finally:
                    writer.close()
                    await writer.wait_closed()
        except (OSError, TimeoutError) as err:
            raise HaproxyFailed(f"no answer on {self._socket}: {err}") from err

    async def _run(self, command: Sequence[str]) -> None:
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
        )
        _, said = await process.communicate()
        if process.returncode:
            why = said.decode(errors="replace").strip()[-500:]
            raise HaproxyFailed(f"{command[0]} ended with {process.returncode}: {why}")

    def _write(self, configuration: str) -> None:
        temporary = self._file.with_suffix(".new")
        temporary.write_text(configuration)
        temporary.replace(self._file)

    async def _end(self, child: asyncio.subprocess.Process) -> None:
        if child.returncode is None:
            child.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await child.wait()
        except TimeoutError:
            child.kill()
            await child.wait()
