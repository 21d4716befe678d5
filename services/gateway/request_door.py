"""The doors to what other services answer over NATS: `POST /apis/hanse.dev/v1alpha1/renderings`.

Body and answer are those of the request: what members would hold (`hanse.api.render`), how each
observer sees them (`hanse.api.health`), why something is where it is (`hanse.api.explain`), what
would happen if (`hanse.api.plan`), what is said of clusters (`hanse.api.scores`), how traffic is
shared and what became of it (`hanse.api.traffic`, `.report`), who exports what
(`hanse.api.services`), and what could not be processed (`hanse.api.deadletters.*`).
"""

from collections.abc import Sequence
from datetime import timedelta

from aiohttp import web

from shared.api.meta import API_VERSION
from shared.apiserver.requests.limits import ServerLimits, read_body
from shared.apiserver.status_errors import ApiFault
from shared.bus.port import Bus, RequestError
from shared.errors import StoreUnavailable
from shared.events.requests import (
    API_DEAD_LIST,
    API_DEAD_RETRY,
    API_EXPLAIN,
    API_HEALTH,
    API_PLAN,
    API_RENDER,
    API_SCORES,
    API_SERVICES,
    API_TRAFFIC,
    API_TRAFFIC_EXPLAIN,
    API_TRAFFIC_RENDER,
    API_TRAFFIC_REPORT,
)

PATH = f"/apis/{API_VERSION}/renderings"
REQUESTS = {
    PATH: (API_RENDER, "propagator"),
    f"/apis/{API_VERSION}/fleethealth": (API_HEALTH, "health"),
    f"/apis/{API_VERSION}/explanations": (API_EXPLAIN, "scheduler"),
    f"/apis/{API_VERSION}/plans": (API_PLAN, "scheduler"),
    f"/apis/{API_VERSION}/scorelists": (API_SCORES, "registry"),
    f"/apis/{API_VERSION}/serviceoverviews": (API_SERVICES, "traffic"),
    f"/apis/{API_VERSION}/trafficfeeds": (API_TRAFFIC, "traffic"),
    f"/apis/{API_VERSION}/trafficexplanations": (API_TRAFFIC_EXPLAIN, "traffic"),
    f"/apis/{API_VERSION}/trafficrenderings": (API_TRAFFIC_RENDER, "traffic"),
    f"/apis/{API_VERSION}/trafficreports": (API_TRAFFIC_REPORT, "traffic"),
    f"/apis/{API_VERSION}/deadletters": (API_DEAD_LIST, "registry"),
    f"/apis/{API_VERSION}/deadletterretries": (API_DEAD_RETRY, "registry"),
}
"""Path -> subject of the request, and who answers it."""

_DEADLINE = timedelta(seconds=15)


class RequestDoor:
    """Hands the request on as it is, for whoever is authenticated."""

    def __init__(self, bus: Bus, limits: ServerLimits) -> None:
        self._bus = bus
        self._limits = limits

    def routes(self) -> Sequence[web.RouteDef]:
        return [web.post(path, self.serve) for path in REQUESTS]

    async def serve(self, request: web.Request) -> web.Response:
        """Raise `ApiFault` 503 where no service answers."""
        subject, service = REQUESTS[request.path]
        body = await read_body(request, self._limits)
        try:
            answer = await self._bus.request(subject, body, deadline=_DEADLINE)
        except RequestError as err:
            if err.body:
                return web.Response(status=err.code, body=err.body, content_type="application/json")
            raise ApiFault(err.code, str(err)) from err
        except StoreUnavailable as err:
            raise ApiFault(503, f"no {service} answers", retry_after_seconds=1) from err
        return web.Response(body=answer, content_type="application/json")
