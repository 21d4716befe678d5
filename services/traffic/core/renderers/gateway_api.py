"""Gateway API: an `HTTPRoute` (or `TCPRoute`) whose backends weigh what the split says.

A ServiceImport is one backend for all clusters and cannot be weighed. So each cluster's share has
a Service of its own without a selector, and slices that fill it (`endpoint_slices.py`); a backend
refers to that.
"""

from collections.abc import Collection, Sequence
from typing import Any

from services.traffic.core.renderers.naming import backend_name, metadata
from shared.api.meta import section
from shared.api.override import BACKENDS_MAX, RouteBackend
from shared.api.traffic_policy import RouteGateway
from shared.apimachinery.manifest import Manifest
from shared.events.traffic import TrafficPlan

ROUTES_GROUP = "gateway.networking.k8s.io"
_PARENT = RouteGateway(name="gateway")
_ROUTE_KINDS = {"HTTP": "HTTPRoute", "TCP": "TCPRoute", "UDP": "UDPRoute", "SCTP": "TCPRoute"}
VERSIONS = {"HTTPRoute": "v1", "TCPRoute": "v1alpha2", "UDPRoute": "v1alpha2"}
"""In which each kind is written where nothing is known of another."""


def weighted(
    plan: TrafficPlan, region: str = "", among: Collection[str] | None = None
) -> tuple[RouteBackend, ...]:
    """Return the backends of a route for traffic from *region*, in order of names.

    Every cluster of the plan is one, or those *among* it, and one without a share weighs 0: a
    route that loses its backends answers 500, and one that keeps them comes back by a weight
    alone. Where nobody can take any all weigh the same, for whoever comes back first. Of more than
    the API allows those with the greatest shares are. Empty where none of those *among* it takes
    any.
    """
    shares = plan.shares_from(region)
    names = [one for one in clusters_of(plan) if among is None or one in among]
    if shares and not shares.keys() & set(names):
        return ()
    greatest = sorted(names, key=lambda name: (-shares.get(name, 0), name))
    return tuple(
        RouteBackend(
            name=backend_name(plan.service, name),
            port=plan.port,
            weight=shares.get(name, 0) if shares else 1,
        )
        for name in sorted(greatest[:BACKENDS_MAX])
    )


def beyond_bounds(plan: TrafficPlan, region: str = "") -> list[str]:
    """Name the clusters that a route has no room for."""
    names = {one.name for one in weighted(plan, region)}
    return [one for one in clusters_of(plan) if backend_name(plan.service, one) not in names]


def route(
    plan: TrafficPlan,
    region: str = "",
    *,
    parent: RouteGateway = _PARENT,
    backends: Sequence[RouteBackend] | None = None,
) -> Manifest:
    """The route for a Gateway of *region*, to *backends* or to all that there are."""
    found = weighted(plan, region) if backends is None else backends
    refs = [{"weight": 1, **section(one)} for one in found]
    rule: dict[str, Any] = {"backendRefs": refs}
    spec: dict[str, Any] = {"parentRefs": [section(parent)], "rules": [rule]}
    kind = route_kind(plan)
    if kind == "HTTPRoute":
        if plan.hosts:
            spec["hostnames"] = [*plan.hosts]
        if plan.session_affinity == "Cookie":
            rule["sessionPersistence"] = {
                "type": "Cookie",
                "cookie": {"name": f"hanse-{plan.service}"},
            }
    return {
        "apiVersion": f"{ROUTES_GROUP}/{VERSIONS[kind]}",
        "kind": kind,
        "metadata": metadata(plan, plan.policy),
        "spec": spec,
    }


def route_kind(plan: TrafficPlan) -> str:
    return _ROUTE_KINDS[plan.protocol]


def services(plan: TrafficPlan) -> list[Manifest]:
    """Return the Services that the backends of the route refer to."""
    port: dict[str, Any] = {"port": plan.port, "targetPort": plan.port, "name": plan.port_name}
    port["protocol"] = "TCP" if plan.protocol == "HTTP" else plan.protocol
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata(plan, backend_name(plan.service, name)),
            "spec": {"ports": [port]},
        }
        for name in clusters_of(plan)
    ]


def clusters_of(plan: TrafficPlan) -> list[str]:
    """Every cluster that the plan speaks of, in order of names."""
    told = {share.cluster for split in plan.splits for share in split.shares}
    return sorted(told | {one.cluster for one in plan.backends})
