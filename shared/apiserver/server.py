"""An API server as an HTTP service: TLS, authentication, limits, errors, graceful stop.

Discovery, OpenAPI, version and health are plain routes; everything else is a resource. Whatever
goes wrong is answered as a `Status` and never as a traceback.
"""

import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import msgspec
import structlog
from aiohttp import web
from opentelemetry import trace
from opentelemetry.context import Context
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram, generate_latest

from shared.apiserver.answers.presentation import presented
from shared.apiserver.answers.responses import status_response
from shared.apiserver.answers.warnings import add_warnings, tell_deprecation
from shared.apiserver.authentication import TokenTable, User
from shared.apiserver.healthz import HealthChecks, Probe
from shared.apiserver.requests.limits import InFlight, ServerLimits
from shared.apiserver.requests.target import parse_target
from shared.apiserver.requests.timeouts import check_timeout
from shared.apiserver.resources import Resources
from shared.apiserver.status_errors import (
    ApiFault,
    from_error,
    method_not_allowed,
)
from shared.apiserver.version import KUBERNETES_VERSION, version_info
from shared.errors import HanseError
from shared.telemetry import metrics
from shared.telemetry.propagation import TRACEPARENT, extract

log = structlog.get_logger("hanse.apiserver")
tracer = trace.get_tracer("hanse.apiserver")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_READING = frozenset({"GET", "HEAD"})
_UNCACHED = "no-cache, private"
# Labels of metrics are bounded, whatever clients send.
_METHODS = _READING | {"POST", "PUT", "PATCH", "DELETE"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """Where and how one API server listens."""

    host: str = "127.0.0.1"
    """The address to listen on."""

    port: int = 0
    """0 takes a free one."""

    certificate: Path | None = None
    """PEM file with the serving certificate; None serves plain HTTP."""

    private_key: Path | None = None
    """PEM file with its key."""

    client_authorities: Path | None = None
    """PEM file; clients may present certificates of these authorities."""

    version: str = KUBERNETES_VERSION
    """The Kubernetes version that `/version` answers."""

    stop_seconds: float = 5.0
    """How long requests in progress may take to end when the server stops."""

    limits: ServerLimits = field(default_factory=ServerLimits)


@dataclass(frozen=True, slots=True)
class Listening:
    """Where a started server can be reached."""

    host: str
    port: int
    url: str


class ApiServer:
    """Routes, authenticates, counts and answers."""

    def __init__(
        self,
        resources: Resources,
        tokens: TokenTable,
        settings: ServerSettings,
        *,
        routes: Sequence[web.RouteDef] = (),
        not_ready: Probe = tuple,
        leaving: Callable[[], bool] = lambda: False,
    ) -> None:
        """*routes*: authenticated plain ones; *not_ready*: what still hinders serving.

        *leaving*: whether each answer is to be the last one on its connection.
        """
        self._resources = resources
        self._tokens = tokens
        self._settings = settings
        self._health = HealthChecks(not_ready)
        self._leaving = leaving
        self._reading = InFlight(settings.limits.reading)
        self._writing = InFlight(settings.limits.writing)
        version = msgspec.json.encode(version_info(settings.version))
        self._version = msgspec.json.format(version, indent=2)
        self.app = self._build(routes)

    def _build(self, routes: Sequence[web.RouteDef]) -> web.Application:
        app = web.Application(client_max_size=self._settings.limits.body_bytes)
        app.on_response_prepare.append(tell_deprecation)
        app.on_response_prepare.append(self._part)
        # Open to everybody, as kube-apiserver has them by default.
        public = [
            *self._health.routes(),
            web.get("/version", self._serve_version),
            web.get("/version/", self._serve_version),
        ]
        guarded = [
            web.RouteDef(route.method, route.path, self._guarded(route.handler), route.kwargs)
            for route in (web.get("/metrics", self._metrics), *routes)
        ]
        for route in (*public, *guarded):
            route.register(app.router)
        for path in dict.fromkeys(route.path for route in (*public, *guarded)):
            app.router.add_route("*", path, self._guarded(_refuse_method))
        app.router.add_route("*", "/{path:.*}", self._serve)
        return app

    @property
    def watches_open(self) -> int:
        """How many watches are being served."""
        return len(self._resources.watches)

    async def _part(self, _request: web.Request, response: web.StreamResponse) -> None:
        """Have a client that keeps connections make its next one elsewhere."""
        if self._leaving():
            response.headers["Connection"] = "close"
            response.force_close()

    # Plain routes.

    async def _metrics(self, _request: web.Request) -> web.StreamResponse:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _serve_version(self, request: web.Request) -> web.StreamResponse:
        try:
            _check_query(request)
        except ApiFault as fault:
            return _answer_error(fault, request)
        return web.Response(body=self._version, content_type="application/json")

    def _guarded(self, handler: Handler) -> Handler:
        """Let only known users pass to *handler*, and answer its errors as Status."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            try:
                self._authenticate(request)
                _check_query(request)
                response = await handler(request)
            except Exception as err:  # noqa: BLE001 - the last resort of a request.
                response = _answer_error(err, request)
            return await presented(request, response)

        return guarded

    def _authenticate(self, request: web.Request) -> User:
        return self._tokens.authenticate(request.headers.get("Authorization", ""))

    # Resources.

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        """Answer one request on a resource, and count it."""
        started = time.perf_counter()
        method = request.method
        try:
            response = await self._admitted(request, method)
        except Exception as err:  # noqa: BLE001 - the last resort of a request.
            response = _answer_error(err, request)
        response = await presented(request, response)
        if not response.prepared:
            response.headers.setdefault("Cache-Control", _UNCACHED)
        _count(method, response.status).inc()
        _seconds(method).observe(time.perf_counter() - started)
        return response

    async def _admitted(self, request: web.Request, method: str) -> web.StreamResponse:
        """Authenticate, find the resource, and serve within the limits."""
        user = self._authenticate(request)
        path = request.raw_path.partition("?")[0]
        target = parse_target(path)
        _check_query(request)
        if target is None:
            raise self._resources.nothing_at(path)
        if method in _READING:
            if target.watch_path or "watch" in request.query_string:
                # A watch lasts; watches are bounded by a number of their own.
                return await self._resources.serve(request, target, user)
            with self._reading.one():
                return await self._resources.serve(request, target, user)
        span = tracer.start_as_current_span(f"{method} {target.resource}", context=_caller(request))
        with self._writing.one(), span:
            return await self._resources.serve(request, target, user)

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[Listening]:
        """Serve until left; what is in progress then gets `stop_seconds`."""
        settings = self._settings
        runner = web.AppRunner(
            self.app,
            access_log=None,
            # Go's clients keep idle connections for 90 s; who closes first loses the race.
            keepalive_timeout=180.0,
            shutdown_timeout=settings.stop_seconds,
            handler_cancellation=False,
            max_line_size=settings.limits.line_bytes,
            max_field_size=settings.limits.line_bytes,
        )
        await runner.setup()
        try:
            site = web.TCPSite(
                runner, settings.host, settings.port, ssl_context=_tls(settings), backlog=1024
            )
            await site.start()
            host, port = runner.addresses[0][:2]
            scheme = "https" if settings.certificate else "http"
            shown = f"[{host}]" if ":" in host else host
            yield Listening(host, port, f"{scheme}://{shown}:{port}")
        finally:
            self._health.stopping = True
            # Watches would use up all the time that writes are given to end.
            self._resources.watches.end_all()
            await runner.cleanup()


@lru_cache(maxsize=256)
def _count(method: str, status: int) -> Counter:
    return metrics.REQUESTS.labels(method if method in _METHODS else "other", str(status))


@lru_cache(maxsize=64)
def _seconds(method: str) -> Histogram:
    return metrics.REQUEST_SECONDS.labels(method if method in _METHODS else "other")


def _check_query(request: web.Request) -> None:
    # Hardly any request has one, and reading a query costs more than looking for the word.
    if "timeout=" in request.query_string:
        check_timeout(request.rel_url.query)


async def _refuse_method(_request: web.Request) -> web.StreamResponse:
    raise method_not_allowed()


def _caller(request: web.Request) -> Context | None:
    return extract(request.headers) if TRACEPARENT in request.headers else None


def _tls(settings: ServerSettings) -> ssl.SSLContext | None:
    if settings.certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(settings.certificate, settings.private_key)
    if settings.client_authorities is not None:
        context.load_verify_locations(settings.client_authorities)
        context.verify_mode = ssl.CERT_OPTIONAL
    context.set_alpn_protocols(["http/1.1"])
    return context


def _answer_error(error: Exception, request: web.Request) -> web.Response:
    """Answer as Status; only what nobody foresaw is logged, and only there."""
    if isinstance(error, web.HTTPException):
        error = ApiFault(error.status, error.reason or "the request cannot be served")
    elif not isinstance(error, ApiFault | HanseError):
        log.error("request.bug", method=request.method, path=request.path[:200], exc_info=error)
    fault = from_error(error)
    response = status_response(fault)
    add_warnings(response, fault.warnings)
    return response
