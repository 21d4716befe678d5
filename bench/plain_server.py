"""The floor of an API server: a plain aiohttp handler that does the JSON work and nothing else.

`python -m bench.plain_server PORT TLS_FOLDER FILE`: POST and PATCH decode the body and encode it
again; GET of one answers bytes that are there; GET of the list encodes what FILE holds, each time;
a watch gets every body that is posted, one write each.
"""

import asyncio
import ssl
import sys
from pathlib import Path

import msgspec
import uvloop
from aiohttp import web

_decode = msgspec.json.decode
_encode = msgspec.json.encode


class Plain:
    """Holds one list and its watchers; stores nothing."""

    def __init__(self, listing: bytes) -> None:
        self._listing = _decode(listing)
        self._one = _encode(self._listing["items"][0])
        self._watchers: set[asyncio.Queue[bytes]] = set()

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/readyz", self._ready),
            web.post("/objects", self._write),
            web.patch("/objects", self._write),
            web.get("/objects/one", self._get),
            web.get("/objects", self._list),
            web.get("/watch", self._watch),
        ]

    async def _ready(self, _request: web.Request) -> web.StreamResponse:
        return web.Response(text="ok")

    async def _write(self, request: web.Request) -> web.StreamResponse:
        body = _encode(_decode(await request.read()))
        line = b'{"type":"ADDED","object":%b}\n' % body
        for queue in self._watchers:
            queue.put_nowait(line)
        return web.Response(body=body, content_type="application/json", status=201)

    async def _get(self, _request: web.Request) -> web.StreamResponse:
        return web.Response(body=self._one, content_type="application/json")

    async def _list(self, _request: web.Request) -> web.StreamResponse:
        return web.Response(body=_encode(self._listing), content_type="application/json")

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._watchers.add(queue)
        try:
            while True:
                await response.write(await queue.get())
        finally:
            self._watchers.discard(queue)


async def _serve(port: int, folder: Path, listing: bytes) -> None:
    app = web.Application()
    app.add_routes(Plain(listing).routes())
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=context, backlog=1024).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]).read_bytes()))
