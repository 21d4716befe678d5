"""/livez, /readyz and /healthz: whether a server may be sent requests, and which check says no.

As kube-apiserver answers: `ok` alone; a line for each check with `?verbose` or when one fails; a
single check under its own path; `?exclude=` for those that shall not count. Why a check fails is
told to nobody, since nobody is asked who they are. One thing is different: what is not ready is
503, not 500, because nothing is broken.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from aiohttp import web

from shared.apiserver.answers.responses import status_response
from shared.apiserver.status_errors import PageNotFound

Probe = Callable[[], Sequence[str]]
"""Names of the checks that fail now."""

_PING, _SHUTDOWN = "ping", "shutdown"
_HEADERS = {"Cache-Control": "no-cache, private", "X-Content-Type-Options": "nosniff"}


class HealthChecks:
    """The three endpoints of one server."""

    def __init__(self, not_ready: Probe) -> None:
        self._not_ready = not_ready
        self.stopping = False

    def routes(self) -> list[web.RouteDef]:
        """Return the routes; they ask for no authentication."""
        endpoints = {"livez": self._live, "healthz": self._live, "readyz": self._ready}
        return [
            web.get(path, _answering(name, checks))
            for name, checks in endpoints.items()
            for path in (f"/{name}", f"/{name}/{{check}}")
        ]

    def _live(self) -> Mapping[str, bool]:
        return {_PING: True}

    def _ready(self) -> Mapping[str, bool]:
        failing = dict.fromkeys(self._not_ready(), False)
        return {_PING: True, _SHUTDOWN: not self.stopping, **failing}


def _answering(
    name: str, read: Callable[[], Mapping[str, bool]]
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(request: web.Request) -> web.Response:
        checks, excluded = read(), request.query.getall("exclude", [])
        one = request.match_info.get("check")
        if one is not None:
            if one not in checks:
                return status_response(PageNotFound())
            return _answer(checks[one], "ok" if checks[one] else f"{one} failed\n")
        passes = all(passed or check in excluded for check, passed in checks.items())
        if passes and "verbose" not in request.query:
            return _answer(passes, "ok")
        verdict = f"{name} check {'passed' if passes else 'failed'}"
        return _answer(passes, "\n".join([*_lines(checks, excluded), verdict, ""]))

    return answer


def _lines(checks: Mapping[str, bool], excluded: Iterable[str]) -> Iterable[str]:
    for check, passed in checks.items():
        if check in excluded:
            yield f"[+]{check} excluded: ok"
        else:
            yield f"[+]{check} ok" if passed else f"[-]{check} failed: reason withheld"


def _answer(passes: bool, text: str) -> web.Response:  # noqa: FBT001 - the verdict, then the words.
    return web.Response(status=200 if passes else 503, text=text, headers=_HEADERS)
