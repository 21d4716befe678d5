"""Asking a process whether it is ready, for health checks of containers, which have no curl.

    python -m hanse.probe http://127.0.0.1:8080/readyz
    python -m hanse.probe https://127.0.0.1:6443/readyz --authority /var/lib/hanse/member/tls/ca.crt
    python -m hanse.probe nats://127.0.0.1:4222

Imports little, for it runs every few seconds beside every service.
"""

import argparse
import http.client
import json
import socket
import ssl
import sys
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

_SECONDS_MAX = 4.0
# The longest greeting of nats-server seen is a tenth of that.
_GREETING_BYTES_MAX = 16 * 1024


class NotReady(Exception):
    """It answered, and said no; the message says what."""


def probe(url: str, authority: Path | None = None) -> None:
    """Return if what listens at *url* is ready; raises `NotReady`, OSError, `HTTPException`.

    Over https the certificate must be signed by *authority*.
    """
    parts = urlsplit(url)
    if parts.scheme == "nats":
        _greet(parts)
    else:
        _get(parts, authority)


def _get(parts: SplitResult, authority: Path | None) -> None:
    connection = http.client.HTTPConnection(parts.netloc, timeout=_SECONDS_MAX)
    if parts.scheme == "https":
        context = ssl.create_default_context(cafile=authority)
        connection = http.client.HTTPSConnection(
            parts.netloc, timeout=_SECONDS_MAX, context=context
        )
    try:
        connection.request("GET", parts.path)
        response = connection.getresponse()
        if response.status != http.client.OK:
            raise NotReady(response.read(1024).decode(errors="replace"))
    finally:
        connection.close()


def _greet(parts: SplitResult) -> None:
    # nats-server accepts clients once it has recovered every stream, and then speaks first.
    with (
        socket.create_connection((parts.hostname, parts.port), _SECONDS_MAX) as connection,
        connection.makefile("rb") as lines,
    ):
        verb, _, body = lines.readline(_GREETING_BYTES_MAX).partition(b" ")
    if verb != b"INFO" or not json.loads(body).get("jetstream"):
        raise NotReady("not a nats-server with JetStream")


def main(arguments: list[str] | None = None) -> int:
    """0 if ready, 1 if not; the reason goes to standard error."""
    parser = argparse.ArgumentParser(prog="python -m hanse.probe")
    parser.add_argument("url", metavar="URL", help="http, https or nats")
    parser.add_argument("--authority", type=Path, metavar="FILE", help="PEM, for https")
    options = parser.parse_args(arguments)
    try:
        probe(options.url, options.authority)
    except (NotReady, OSError, ValueError, http.client.HTTPException) as err:
        sys.stderr.write(f"{options.url} is not ready: {err}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
