"""Gateway API: an `HTTPRoute` (or `TCPRoute`) whose backends weigh what the split says.

A ServiceImport is one backend for all clusters and cannot be weighed. So each cluster's share has
a Service of its own without a selector, and slices that fill it (`endpoint_slices.py`); a backend
refers to that.
"""

from typing import Any

from services.traffic.core.renderers.naming import backend_name, metadata
from shared.apimachinery.manifest import Manifest
from shared.events.traffic import TrafficPlan

_PARENT = "gateway"
BACKENDS_MAX = 16
"""As many as the API allows in one rule."""


def route(plan: TrafficPlan, region: str = "", *, parent: str = _PARENT) -> Manifest:
    """The route for a Gateway of *region*; *parent* is the Gateway's name.

    Every cluster of the plan is a backend, those without a share with weight 0: a route that loses
    its backends answers 500, and one that keeps them comes back by a weight alone. Of more than
    the API allows those with the greatest shares are.
    """
    shares = plan.shares_from(region)
    greatest = sorted(clusters_of(plan), key=lambda name: (-shares.get(name, 0), name))
    backends = [
        {"name": backend_name(plan.service, name), "port": plan.port, "weight": shares.get(name, 0)}
        for name in sorted(greatest[:BACKENDS_MAX])
    ]
    rule: dict[str, Any] = {"backendRefs": backends}
    spec: dict[str, Any] = {"parentRefs": [{"name": parent}], "rules": [rule]}
    if plan.protocol != "HTTP":
        kind = f"{plan.protocol}Route" if plan.protocol in ("TCP", "UDP") else "TCPRoute"
        return _object(plan, "gateway.networking.k8s.io/v1alpha2", kind, spec)
    if plan.hosts:
        spec["hostnames"] = [*plan.hosts]
    if plan.session_affinity == "Cookie":
        rule["sessionPersistence"] = {
            "type": "Cookie",
            "cookie": {"name": f"hanse-{plan.service}"},
        }
    return _object(plan, "gateway.networking.k8s.io/v1", "HTTPRoute", spec)


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


def _object(plan: TrafficPlan, api_version: str, kind: str, spec: dict[str, Any]) -> Manifest:
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": metadata(plan, plan.policy),
        "spec": spec,
    }
