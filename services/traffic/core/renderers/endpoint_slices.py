"""EndpointSlices: the endpoints of each cluster, as far as their API can say who gets how much.

An EndpointSlice has no weights, only hints for which zones an endpoint is. So there is one slice
for each cluster's Service, which a route weighs; and in it every endpoint is hinted for the zones
of the regions that its cluster has a share of, which kube-proxy goes by.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from services.traffic.core.plans import address_type
from services.traffic.core.renderers.gateway_api import clusters_of
from services.traffic.core.renderers.naming import SOURCE_CLUSTER, backend_name, metadata
from shared.apimachinery.manifest import Manifest
from shared.events.traffic import PlanBackend, TrafficPlan

ENDPOINTS_MAX = 1_000
"""As many as the API allows in one slice."""


def slices(plan: TrafficPlan) -> list[Manifest]:
    """Return the slices of all clusters' Services, in order of names."""
    zones = _zones_by_region(plan)
    found = []
    for cluster in clusters_of(plan):
        served = tuple(
            sorted(
                zone
                for region, names in zones.items()
                if cluster in plan.shares_from(region)
                for zone in names
            )
        )
        backends = [one for one in plan.backends if one.cluster == cluster]
        for (family, port), members in sorted(_by_family_and_port(backends).items()):
            for start in range(0, len(members), ENDPOINTS_MAX):
                part = members[start : start + ENDPOINTS_MAX]
                number = start // ENDPOINTS_MAX
                found.append(_slice(plan, cluster, f"{family}-{port}-{number}", part, served))
    return found


def _zones_by_region(plan: TrafficPlan) -> Mapping[str, set[str]]:
    found: dict[str, set[str]] = {}
    for one in plan.backends:
        if one.region and one.zone:
            found.setdefault(one.region, set()).add(one.zone)
    return found


def _by_family_and_port(
    backends: Sequence[PlanBackend],
) -> Mapping[tuple[str, int], list[PlanBackend]]:
    found: dict[tuple[str, int], list[PlanBackend]] = {}
    for one in backends:
        found.setdefault((address_type(one.host).lower(), one.port), []).append(one)
    return found


def _slice(
    plan: TrafficPlan,
    cluster: str,
    suffix: str,
    backends: Sequence[PlanBackend],
    zones: Sequence[str],
) -> Manifest:
    service = backend_name(plan.service, cluster)
    labels = {"kubernetes.io/service-name": service, SOURCE_CLUSTER: cluster}
    port: dict[str, Any] = {"name": plan.port_name, "port": backends[0].port}
    port["protocol"] = "TCP" if plan.protocol == "HTTP" else plan.protocol
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": metadata(plan, f"{service}-{suffix}", **labels),
        "addressType": address_type(backends[0].host),
        "ports": [port],
        "endpoints": [_endpoint(one, zones) for one in backends],
    }


def _endpoint(one: PlanBackend, zones: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {"addresses": [one.host], "conditions": {"ready": True}}
    if one.zone:
        found["zone"] = one.zone
    if zones:
        found["hints"] = {"forZones": [{"name": zone} for zone in zones]}
    return found
