"""The door to what members would hold: `POST /apis/hanse.dev/v1alpha1/renderings`.

Body and answer are those of the request `hanse.api.render`; dispatch answers, over NATS.
"""

from collections.abc import Sequence
from datetime import timedelta

from aiohttp import web

from shared.api.meta import API_VERSION
from shared.apiserver.requests.limits import ServerLimits, read_body
from shared.apiserver.status_errors import ApiFault
from shared.bus.port import Bus, RequestError
from shared.errors import StoreUnavailable
from shared.events.requests import API_RENDER

PATH = f"/apis/{API_VERSION}/renderings"
_DEADLINE = timedelta(seconds=15)


class RenderingDoor:
    """Hands the request on as it is, for whoever is authenticated."""

    def __init__(self, bus: Bus, limits: ServerLimits) -> None:
        self._bus = bus
        self._limits = limits

    def routes(self) -> Sequence[web.RouteDef]:
        return [web.post(PATH, self.serve)]

    async def serve(self, request: web.Request) -> web.Response:
        """Raise `ApiFault` 503 where no dispatcher answers."""
        body = await read_body(request, self._limits)
        try:
            answer = await self._bus.request(API_RENDER, body, deadline=_DEADLINE)
        except RequestError as err:
            if err.body:
                return web.Response(status=err.code, body=err.body, content_type="application/json")
            raise ApiFault(err.code, str(err)) from err
        except StoreUnavailable as err:
            raise ApiFault(503, "no propagator answers", retry_after_seconds=1) from err
        return web.Response(body=answer, content_type="application/json")
