"""Services of members known in others, where members are real kube-apiservers."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from services.traffic.core.catalogue import ServiceName
from services.traffic.core.imports import derived_name
from shared.api.multicluster import SOURCE_CLUSTER_LABEL
from shared.apimachinery.manifest import Manifest, labels_of
from shared.errors import MemberRefused
from shared.memberapi.credentials import MemberCredentials
from tests.integration.real_members import (
    EAST,
    NAMESPACE,
    SERVICES,
    WEST,
    Ground,
    kind,
    running,
    until,
)
from tests.traffic_ground import ROUTES_DEFINITION

pytestmark = [pytest.mark.kube_apiserver, pytest.mark.asyncio(loop_scope="module")]

EXPORTS = kind("multicluster.x-k8s.io/v1beta1", "ServiceExport", "serviceexports")
IMPORTS = kind("multicluster.x-k8s.io/v1beta1", "ServiceImport", "serviceimports")
OLD_IMPORTS = kind("multicluster.x-k8s.io/v1alpha1", "ServiceImport", "serviceimports")
PROPERTIES = kind("about.k8s.io/v1beta1", "ClusterProperty", "clusterproperties", namespaced=False)
SLICES = kind("discovery.k8s.io/v1", "EndpointSlice", "endpointslices")
ROUTE = kind("gateway.networking.k8s.io/v1", "HTTPRoute", "httproutes")
PORT = {"name": "http", "port": 80, "protocol": "TCP"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ground(
    kube_apiservers: dict[str, MemberCredentials], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Ground]:
    async with running(tmp_path_factory.mktemp("federation"), kube_apiservers) as found:
        yield found


def an_export(name: str) -> Manifest:
    metadata = {"name": name, "namespace": NAMESPACE}
    return {
        "apiVersion": "multicluster.x-k8s.io/v1beta1",
        "kind": "ServiceExport",
        "metadata": metadata,
        "spec": {"exportedLabels": {"team": "quay"}},
    }


async def serve(ground: Ground, member: str, name: str, address: str) -> None:
    """What a user and the controllers of *member* would do."""
    metadata = {"name": name, "namespace": NAMESPACE}
    service: Manifest = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {
            "ports": [PORT],
            "sessionAffinity": "ClientIP",
            "trafficDistribution": "PreferClose",
        },
    }
    labels = {"kubernetes.io/service-name": name}
    slice_: Manifest = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {**metadata, "labels": labels},
        "addressType": "IPv4",
        "ports": [{**PORT, "port": 8080}],
        "endpoints": [
            {"addresses": [address], "nodeName": "n1", "zone": "a", "conditions": {"ready": True}}
        ],
    }
    await ground.members[member].create(SERVICES, NAMESPACE, service)
    await ground.members[member].create(SLICES, NAMESPACE, slice_)


async def imported(ground: Ground, member: str, name: str) -> dict[str, Manifest]:
    """Imported slices of a service in *member*, by the cluster they come from."""
    selector = f"multicluster.kubernetes.io/service-name={name}"
    found = await ground.members[member].list(SLICES, namespace=NAMESPACE, label_selector=selector)
    return {labels_of(one)[SOURCE_CLUSTER_LABEL]: one for one in found.items}


def told(found: Manifest, condition: str) -> tuple[str, str]:
    for one in (found.get("status") or {}).get("conditions") or ():
        if one["type"] == condition:
            return one["status"], one["reason"]
    return "", ""


async def test_an_export_at_the_hub_is_imported_by_real_servers(ground: Ground) -> None:
    await serve(ground, EAST, "web", "10.1.0.1")
    await ground.apply(an_export("web"))
    found = await ground.until_live(WEST, IMPORTS, "web", lambda one: one["spec"].get("ips"))
    spec = found["spec"]
    derived = await ground.live(WEST, SERVICES, derived_name(ServiceName(NAMESPACE, "web")))
    assert spec["ips"] == derived["spec"]["clusterIPs"]
    assert (spec["type"], spec["ports"], spec["sessionAffinity"]) == (
        "ClusterSetIP",
        [PORT],
        "ClientIP",
    )
    assert derived["spec"]["trafficDistribution"] == "PreferClose"
    assert labels_of(found)["team"] == "quay"
    await ground.until_live(WEST, IMPORTS, "web", lambda one: told(one, "Ready")[0] == "True")
    # Both versions show the same.
    old = await ground.live(WEST, OLD_IMPORTS, "web")
    assert old["spec"] == spec

    async def copied() -> Any:
        return (await imported(ground, WEST, "web")).get(EAST)

    [endpoint] = (await until(copied))["endpoints"]
    assert endpoint["addresses"] == ["10.1.0.1"]
    assert endpoint["hints"] == {"forZones": [{"name": "a"}]}
    assert "nodeName" not in endpoint
    await ground.until_live(
        EAST, PROPERTIES, "cluster.clusterset.k8s.io", lambda one: one["spec"]["value"] == EAST
    )


async def test_an_export_in_a_member_is_told_what_became_of_it(ground: Ground) -> None:
    async def served() -> bool:
        try:
            await ground.members[EAST].list(EXPORTS, namespace=NAMESPACE)
        except MemberRefused:
            return False
        return True

    await until(served)
    await ground.members[EAST].create(EXPORTS, NAMESPACE, an_export("own"))
    await ground.until_live(
        EAST, EXPORTS, "own", lambda one: told(one, "Valid") == ("False", "NoService")
    )
    await serve(ground, EAST, "own", "10.1.0.9")
    found = await ground.until_live(
        EAST, EXPORTS, "own", lambda one: told(one, "Ready") == ("True", "Exported")
    )
    assert told(found, "Conflict") == ("False", "NoConflicts")
    await ground.until_live(WEST, IMPORTS, "own")
    uid = found["metadata"]["uid"]
    await ground.members[EAST].delete(EXPORTS, NAMESPACE, "own", uid=uid, propagation="Background")

    async def gone() -> bool:
        there = await ground.live(WEST, IMPORTS, "own")
        return not there and not await imported(ground, WEST, "own")

    await until(gone)


def a_route(name: str) -> Manifest:
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "parentRefs": [{"name": "public"}],
            "hostnames": ["cart.example.com"],
            "rules": [{"name": "all", "backendRefs": [{"name": "cart", "port": 80}]}],
        },
    }


def to_east(name: str, kind_: str, api_version: str, object_name: str) -> Manifest:
    """A policy that places one object in the first member."""
    selector = {"apiVersion": api_version, "kind": kind_, "name": object_name}
    placement = {"clusterAffinity": {"clusterNames": [EAST]}}
    cluster_scoped = kind_ == "CustomResourceDefinition"
    metadata = {"name": name} if cluster_scoped else {"name": name, "namespace": NAMESPACE}
    return {
        "apiVersion": "hanse.dev/v1alpha1",
        "kind": "ClusterPropagationPolicy" if cluster_scoped else "PropagationPolicy",
        "metadata": metadata,
        "spec": {"resourceSelectors": [selector], "placement": placement},
    }


async def test_routes_of_real_servers_are_weighed(ground: Ground) -> None:
    definition = ROUTES_DEFINITION["metadata"]["name"]
    await ground.apply(ROUTES_DEFINITION)
    await ground.apply(
        to_east("routes", "CustomResourceDefinition", "apiextensions.k8s.io/v1", definition)
    )
    for member, address in ((EAST, "10.1.0.5"), (WEST, "10.2.0.5")):
        await serve(ground, member, "cart", address)
    await ground.apply(an_export("cart"))
    await ground.apply(to_east("front", "HTTPRoute", "gateway.networking.k8s.io/v1", "front"))
    await ground.apply(a_route("front"))
    routes = [{"targetCluster": {"clusterNames": [EAST]}, "gateway": {"name": "public"}}]
    weights = [
        {"targetCluster": {"clusterNames": [EAST]}, "weight": 3},
        {"targetCluster": {"clusterNames": [WEST]}, "weight": 1},
    ]
    await ground.apply(
        {
            "apiVersion": "hanse.dev/v1alpha1",
            "kind": "TrafficPolicy",
            "metadata": {"name": "cart", "namespace": NAMESPACE},
            "spec": {"service": "cart", "routes": routes, "weights": weights},
        }
    )
    split = {f"cart-{EAST}": 7_500, f"cart-{WEST}": 2_500}

    def weighed(route: Manifest) -> bool:
        refs = route["spec"]["rules"][0]["backendRefs"]
        return {one["name"]: one.get("weight", 1) for one in refs} == split

    # That of a user, and one for the gateway that is named.
    front = await ground.until_live(EAST, ROUTE, "front", weighed)
    assert front["spec"]["hostnames"] == ["cart.example.com"]
    assert front["spec"]["rules"][0]["name"] == "all"
    await ground.until_live(EAST, ROUTE, "cart", weighed)
    share = await ground.live(EAST, SERVICES, f"cart-{WEST}")
    assert share["spec"]["ports"][0]["port"] == 80
