"""Routes of the Gateway API: who holds what, so that gateways share the traffic of a policy (pure).

A member whose gateways carry it holds a Service for each cluster's share, and slices that fill it.
What weighs them is an OverridePolicy at the hub, so that routes of users stay theirs and are
rendered where they are rendered anyway; or a route of traffic's own, for a gateway that the policy
names. No weight goes to a Service that the member does not hold yet: it would answer 500.
"""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from services.traffic.core.orders import ROUTE, Orders, make_order
from services.traffic.core.renderers.endpoint_slices import slices
from services.traffic.core.renderers.gateway_api import (
    ROUTES_GROUP,
    beyond_bounds,
    clusters_of,
    route,
    route_kind,
    services,
    weighted,
)
from services.traffic.core.renderers.naming import SOURCE_CLUSTER, backend_name, metadata
from services.traffic.core.terms import Fleet
from shared.api.cluster import Cluster
from shared.api.meta import API_VERSION, GROUP, section
from shared.api.override import (
    BACKENDS_MAX,
    BackendOverrider,
    Overriders,
    OverrideRule,
    OverrideSpec,
    RouteBackend,
)
from shared.api.selection import GroupAffinity, ResourceSelector
from shared.api.traffic_policy import RouteGateway, TrafficSpec
from shared.apimachinery.manifest import Manifest, ObjectKey, labels_of
from shared.events.traffic import TrafficPlan

_KINDS = ("HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute")
_NAME_MAX = 253

Amiss = tuple[str, str]
"""A reason, as in a condition, and what there is to say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutePlace:
    """A member whose gateways carry the traffic. `version`: of routes it serves, "" if unknown."""

    region: str = ""
    gateway: RouteGateway | None = None
    version: str = ""


def owner_of_routes(namespace: str, policy: str) -> str:
    """What the orders for a policy's routes come from, in place of a template's uid."""
    return f"{ROUTE}{namespace}/{policy}"


def policy_of(owner: str) -> tuple[str, str] | None:
    """Read namespace and name back; None where the owner is something else."""
    place = owner.removeprefix(ROUTE)
    namespace, _, name = place.partition("/")
    return (namespace, name) if place != owner and name else None


def route_places(spec: TrafficSpec, plan: TrafficPlan, fleet: Fleet) -> dict[str, RoutePlace]:
    """By member: where the traffic of *spec* is shared out; a member takes the first entry."""
    found: dict[str, RoutePlace] = {}
    for one in spec.routes:
        for name in sorted(fleet.covered(one.target_cluster)):
            cluster = fleet.clusters[name]
            if cluster.spec.leaving:
                # What it was given is taken back while it can still be reached.
                continue
            place = RoutePlace(
                region=cluster.spec.region or "",
                gateway=one.gateway,
                version=_version(cluster, route_kind(plan)),
            )
            found.setdefault(name, place)
    return found


def _version(cluster: Cluster, kind: str) -> str:
    return next(
        (
            one.group_version.partition("/")[2]
            for one in cluster.status.api_enablements
            if one.group_version.startswith(f"{ROUTES_GROUP}/")
            and any(resource.kind == kind for resource in one.resources)
        ),
        "",
    )


def route_orders(
    plan: TrafficPlan, places: Mapping[str, RoutePlace], held: Mapping[str, Collection[str]]
) -> dict[str, Orders]:
    """By member, every object that it is to hold.

    *held*: the clusters whose Services each member holds already; others get no weight.
    """
    owner = owner_of_routes(plan.namespace, plan.policy)
    shared = dict(
        make_order(manifest, f"{owner}@{cluster}")
        for cluster, manifest in zip(clusters_of(plan), services(plan), strict=True)
    )
    for manifest in slices(plan):
        key, order = make_order(manifest, f"{owner}@{labels_of(manifest)[SOURCE_CLUSTER]}")
        shared[key] = order
    found: dict[str, Orders] = {}
    for member, place in places.items():
        backends = weighted(plan, place.region, held.get(member, ()))
        own = {}
        if place.gateway is not None and backends:
            own = dict([make_order(_own_route(plan, place, place.gateway, backends), owner)])
        found[member] = {**shared, **own}
    return found


def _own_route(
    plan: TrafficPlan,
    place: RoutePlace,
    gateway: RouteGateway,
    backends: tuple[RouteBackend, ...],
) -> Manifest:
    found = route(plan, place.region, parent=gateway, backends=backends)
    if place.version:
        found["apiVersion"] = f"{ROUTES_GROUP}/{place.version}"
    for rule in found["spec"]["rules"]:
        # Of the experimental channel: with the standard one the whole route would be refused.
        rule.pop("sessionPersistence", None)
    return found


def service_keys(plan: TrafficPlan) -> dict[ObjectKey, str]:
    """The Services of the shares, each with its cluster."""
    return {
        ObjectKey("", "services", plan.namespace, backend_name(plan.service, name)): name
        for name in clusters_of(plan)
    }


def override_key(namespace: str, policy: str) -> ObjectKey:
    name = f"traffic-{policy}"
    if len(name) > _NAME_MAX:
        digest = hashlib.sha256(policy.encode()).hexdigest()[:10]
        name = f"{name[: _NAME_MAX - 11].rstrip('-.')}-{digest}"
    return ObjectKey(GROUP, "overridepolicies", namespace, name)


def override_of(
    plan: TrafficPlan, places: Mapping[str, RoutePlace], held: Mapping[str, Collection[str]]
) -> Manifest | None:
    """The policy that puts weights into routes of the plan's namespace; None where none is due."""
    members: dict[tuple[RouteBackend, ...], list[str]] = {}
    for member, place in sorted(places.items()):
        backends = weighted(plan, place.region, held.get(member, ()))
        if backends:
            members.setdefault(backends, []).append(member)
    if not members:
        return None
    spec = OverrideSpec(
        resource_selectors=tuple(
            ResourceSelector(api_version=f"{ROUTES_GROUP}/v1", kind=kind) for kind in _KINDS
        ),
        override_rules=tuple(
            OverrideRule(
                target_cluster=GroupAffinity(cluster_names=tuple(names)),
                overriders=Overriders(
                    backend_overrider=(
                        BackendOverrider(service=plan.service, port=plan.port, backends=backends),
                    )
                ),
            )
            for backends, names in members.items()
        ),
    )
    name = override_key(plan.namespace, plan.policy).name
    return {
        "apiVersion": API_VERSION,
        "kind": "OverridePolicy",
        "metadata": metadata(plan, name),
        "spec": section(spec),
    }


def shortcomings(plan: TrafficPlan, places: Mapping[str, RoutePlace]) -> list[Amiss]:
    """What routes cannot do of what was decided."""
    found = []
    if not places:
        found.append(("NoClusters", "routes covers no cluster there is"))
    left_out = sorted(
        {name for place in places.values() for name in beyond_bounds(plan, place.region)}
    )
    if left_out:
        told = f"a route has {BACKENDS_MAX} backends at most, without {', '.join(left_out)}"
        found.append(("TooManyClusters", told))
    if plan.session_affinity == "Cookie" and any(one.gateway for one in places.values()):
        told = (
            "the route that is written keeps no sessions: that is experimental in the Gateway API,"
            " and for a route of your own to say"
        )
        found.append(("SessionsNotKept", told))
    return found
