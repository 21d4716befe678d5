"""/livez, /readyz and /metrics of a service, on a port of its own.

Live means the process answers; ready that it has synced, is not stopping, and its checks pass.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeSettings:
    """Where a service answers probes."""

    host: str = "127.0.0.1"
    port: int = 0
    """0 takes any free port."""


@dataclass(slots=True)
class Readiness:
    """Whether a service may be sent work; `checks` name what must hold beside `started`.

    `notes` are told beside it by /readyz?verbose, and decide nothing.
    """

    started: bool = False
    checks: dict[str, Callable[[], bool]] = field(default_factory=dict)
    notes: dict[str, Callable[[], str]] = field(default_factory=dict)

    def failing(self) -> list[str]:
        failed = [name for name, check in self.checks.items() if not check()]
        return failed if self.started else ["started", *failed]


@asynccontextmanager
async def serve_probes(settings: ProbeSettings, readiness: Readiness) -> AsyncIterator[int]:
    """Serve until left; yields the port."""

    async def livez(_request: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def readyz(request: web.Request) -> web.Response:
        failing = readiness.failing()
        verdict = "not ready: " + ", ".join(failing) if failing else "ok"
        if "verbose" in request.query:
            verdict = "\n".join(
                [verdict, *(f"{k}: {tell()}" for k, tell in readiness.notes.items())]
            )
        return web.Response(status=503 if failing else 200, text=verdict)

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes(
        [web.get("/livez", livez), web.get("/readyz", readyz), web.get("/metrics", metrics)]
    )
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, settings.host, settings.port)
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
