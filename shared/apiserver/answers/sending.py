"""Answers on their way: small ones whole, large ones in chunks, compressed for who wants it.

As kube-apiserver does, only what has more than 128 KiB is compressed, by gzip's quickest level.
Between chunks everybody else gets a turn, and after every hundredth of a second that goes into one.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable, Iterable
from time import perf_counter

from aiohttp import HttpVersion11, web

from shared.apiserver.answers.presentation import is_plain
from shared.apiserver.requests.negotiation import JSON

COMPRESSED_BYTES_MIN = 128 * 1024
_CHUNK_BYTES = 64 * 1024
_TURN_SECONDS = 0.01
_GZIP = 31
_LEVEL = 1

Part = bytes | Callable[[], bytes]
"""A piece of an answer, or what makes one and takes long enough to do it beside the event loop."""


def accepts_gzip(request: web.BaseRequest) -> bool:
    wanted = request.headers.get("Accept-Encoding", "")
    return any(one.strip() == "gzip" for one in wanted.split(","))


async def send_json(
    request: web.BaseRequest, parts: Iterable[Part], *, status: int = 200
) -> web.StreamResponse:
    """Answer with *parts* joined; they are made while they are sent."""
    chunks = gathered(parts)
    # What is written anew as a whole has to be there as a whole.
    plain = is_plain(request)
    found: list[bytes] = []
    size = 0
    async for chunk in chunks:
        found.append(chunk)
        size += len(chunk)
        if plain and size > COMPRESSED_BYTES_MIN:
            break
        await asyncio.sleep(0)
    else:
        return web.Response(body=b"".join(found), status=status, content_type=JSON)
    headers = {"Content-Type": JSON, "Cache-Control": "no-cache, private"}
    response = web.StreamResponse(status=status, headers=headers)
    packer = None
    if accepts_gzip(request):
        response.headers["Content-Encoding"] = "gzip"
        response.headers["Vary"] = "Accept-Encoding"
        packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    if request.version < HttpVersion11:
        # Without chunks the end of the connection is that of the answer.
        response.force_close()
    await response.prepare(request)
    async for chunk in _both(found, chunks):
        # Compressing lets go of the interpreter, so it costs others nothing in a thread.
        packed = await asyncio.to_thread(packer.compress, chunk) if packer else chunk
        if packed:
            await response.write(packed)
        await asyncio.sleep(0)
    if packer is not None:
        await response.write(packer.flush())
    await response.write_eof()
    return response


async def _both(found: list[bytes], rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    for chunk in found:
        yield chunk
    async for chunk in rest:
        yield chunk


async def gathered(parts: Iterable[Part]) -> AsyncIterator[bytes]:
    """Yield *parts* joined into chunks of 64 KiB and more, but for the last."""
    waiting: list[bytes] = []
    size, since = 0, perf_counter()
    for part in parts:
        made = part if isinstance(part, bytes) else await asyncio.to_thread(part)
        waiting.append(made)
        size += len(made)
        if size >= _CHUNK_BYTES:
            yield b"".join(waiting)
            waiting, size, since = [], 0, perf_counter()
        elif perf_counter() - since > _TURN_SECONDS:
            await asyncio.sleep(0)
            since = perf_counter()
    if waiting:
        yield b"".join(waiting)
