"""Debian's own BIND, as a server that people already run: a secondary, or one that is updated."""

import asyncio
import contextlib
import shutil
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import dns.asyncquery
import dns.exception
import dns.message
import pytest

NAMED = shutil.which("named", path="/usr/sbin:/usr/bin:/usr/local/sbin")
needs_named = pytest.mark.skipif(NAMED is None, reason="named (Debian's bind9) is not installed")
KEY_TEXT = """
key "hanse-transfer" { algorithm hmac-sha256; secret "c2VjcmV0IG9mIHRoZSB0ZXN0"; };
"""


def free_port() -> int:
    """One on which neither transport is in use."""
    while True:
        with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagram:
            stream.bind(("127.0.0.1", 0))
            port = int(stream.getsockname()[1])
            with contextlib.suppress(OSError):
                datagram.bind(("127.0.0.1", port))
                return port


@asynccontextmanager
async def bind9(folder: Path, zones: str, zone: str) -> AsyncIterator[int]:
    """Run it with *zones* in its own words, until left; yields its port once it knows *zone*."""
    assert NAMED is not None
    port = free_port()
    options = f"""
options {{
    directory "{folder}"; pid-file none; session-keyfile none; lock-file none;
    listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
    recursion no; dnssec-validation no; empty-zones-enable no; notify no;
    max-ncache-ttl 1; allow-query {{ any; }};
}};
controls {{ }};
"""
    (folder / "named.conf").write_text(options + KEY_TEXT + zones)
    with (folder / "named.log").open("w") as log:
        process = await asyncio.create_subprocess_exec(
            *(NAMED, "-g", "-4", "-n", "1", "-c", str(folder / "named.conf")), stderr=log
        )
    try:
        await until_answered(port, zone, "SOA", lambda answer: bool(answer.answer))
        yield port
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def until_answered(
    port: int, name: str, kind: str, good: Callable[[dns.message.Message], bool]
) -> dns.message.Message:
    """Ask until the answer is *good*; the timeout of the test is the limit."""
    while True:
        with contextlib.suppress(dns.exception.DNSException, OSError):
            query = dns.message.make_query(name, kind)
            answer, _ = await dns.asyncquery.udp_with_fallback(query, "127.0.0.1", 0.3, port)
            if good(answer):
                return answer
        await asyncio.sleep(0.05)
