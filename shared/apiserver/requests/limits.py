"""How much one server takes on at once, and how much of a body it reads."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from shared.apiserver.status_errors import ApiFault, bad_request, too_large

# An object may have 3 MiB; what surrounds it (a patch's operations, YAML's spaces) gets some more.
BODY_BYTES_MAX = 3 * 1024 * 1024 + 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLimits:
    """The bounds of one API server."""

    body_bytes: int = BODY_BYTES_MAX
    """A larger request body is refused with 413 and not read."""

    told_bytes: int | None = None
    """A larger object is stored with a warning: a member's API server may refuse it."""

    line_bytes: int = 64 * 1024
    """The longest request line and header: selectors and tokens may be long."""

    body_seconds: float = 60.0
    """How long a body may take to arrive."""

    writing: int = 400
    """Writes in progress; more are told to come back (429)."""

    large: int = 2
    """Bodies of more than 64 KiB that are worked on at a time; more wait."""

    reading: int = 800
    """Reads in progress."""

    watches: int = 5_000
    """Watches served at a time."""

    blocked_seconds: float = 30.0
    """How long a watcher may take nothing of what is sent before it is cut."""


class InFlight:
    """Counts what is in progress against one bound."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._now = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Raise `ApiFault` 429 beyond the bound."""
        if self._now >= self._most:
            raise ApiFault(429, "too many requests, please try again later", retry_after_seconds=1)
        self._now += 1
        try:
            yield
        finally:
            self._now -= 1


async def read_body(request: web.BaseRequest, limits: ServerLimits) -> bytes:
    """Read the whole body; raises `ApiFault` 413 without holding more than the limit."""
    most = limits.body_bytes
    length = request.content_length
    if length is not None and length > most:
        raise too_large(most)
    content = request.content
    try:
        body = content.read_nowait(-1) if content.is_eof() else b""
        if content.at_eof():
            return _bounded(body, most)
        chunks, size = [body], len(body)
        async with asyncio.timeout(limits.body_seconds):
            while chunk := await content.readany():
                size += len(chunk)
                if size > most:
                    raise too_large(most)
                chunks.append(chunk)
    except TimeoutError as err:
        raise ApiFault(408, "the body did not arrive in time", reason="Timeout") from err
    except ConnectionError as err:
        raise bad_request("the connection ended within the body") from err
    except (web.RequestPayloadError, HttpProcessingError) as err:
        raise bad_request("the body is not encoded as its headers say") from err
    except web.HTTPException as err:
        raise ApiFault(err.status, "the body cannot be read") from err
    return b"".join(chunks)


def _bounded(body: bytes, most: int) -> bytes:
    if len(body) > most:
        raise too_large(most)
    return body
