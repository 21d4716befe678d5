"""Every form that a plan is rendered in, by the word people ask for it with."""

from collections.abc import Callable, Mapping

import msgspec

from services.traffic.core.fronts import sort_plans
from services.traffic.core.renderers import gateway_api, haproxy, ingress
from services.traffic.core.renderers.endpoint_slices import slices
from shared.api.traffic_policy import RouteGateway
from shared.apimachinery.manifest import Manifest
from shared.events.traffic import Form, TrafficPlan, TrafficRendering, TrafficRenderRequest

Asked = TrafficRenderRequest
_SOCKET = "/run/haproxy/admin.sock"


def render(plan: TrafficPlan, asked: Asked) -> TrafficRendering:
    if asked.form == "haproxy":
        front = haproxy.Front(socket=_SOCKET, region=asked.region)
        carried = sort_plans([plan], front.http_port).carried
        layout = haproxy.lay_out(carried, asked.region, {})
        return TrafficRendering(text=haproxy.configuration(layout, front))
    return TrafficRendering(objects=tuple(_FORMS[asked.form](plan, asked)))


def _route(plan: TrafficPlan, asked: Asked) -> list[Manifest]:
    """The route is nothing without the Services it refers to, and they without their slices."""
    route = gateway_api.route(plan, asked.region, parent=RouteGateway(name=asked.gateway))
    return [route, *gateway_api.services(plan), *slices(plan)]


_FORMS: Mapping[Form, Callable[[TrafficPlan, Asked], list[Manifest]]] = {
    "json": lambda plan, _: [msgspec.to_builtins(plan)],
    "httproute": _route,
    "endpointslices": lambda plan, _: slices(plan),
    "ingress": lambda plan, asked: [ingress.ingress(plan, asked.region)],
    "multiclusteringress": lambda plan, asked: [ingress.multi_cluster_ingress(plan, asked.region)],
}
