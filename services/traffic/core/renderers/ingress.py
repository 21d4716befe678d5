"""Ingress: rules by host, and the addresses by which the world reaches who has a share.

Neither Ingress nor Karmada's MultiClusterIngress can weigh clusters. What they say of a split is
who has any part in it: the addresses of a cluster without a share are left out of the status, and
it is among `trafficBlockClusters`.
"""

from collections.abc import Sequence
from typing import Any

from services.traffic.core.plans import address_type
from services.traffic.core.renderers.gateway_api import clusters_of
from services.traffic.core.renderers.naming import metadata
from shared.apimachinery.manifest import Manifest
from shared.events.traffic import TrafficPlan


def ingress(plan: TrafficPlan, region: str = "") -> Manifest:
    """Rules for the plan's hosts, or for any, with the status as of traffic from *region*."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": metadata(plan, plan.policy),
        "spec": {"rules": rules(plan)},
        "status": {"loadBalancer": {"ingress": addresses(plan, region)}},
    }


def multi_cluster_ingress(plan: TrafficPlan, region: str = "") -> Manifest:
    """The same as Karmada writes it, by which its controllers of load balancers go."""
    shares = plan.shares_from(region)
    blocked = [name for name in clusters_of(plan) if name not in shares]
    return {
        "apiVersion": "networking.karmada.io/v1alpha1",
        "kind": "MultiClusterIngress",
        "metadata": metadata(plan, plan.policy),
        "spec": {"rules": rules(plan)},
        "status": {
            "loadBalancer": {"ingress": addresses(plan, region)},
            "trafficBlockClusters": blocked,
        },
    }


def rules(plan: TrafficPlan) -> list[dict[str, Any]]:
    backend = {"service": {"name": plan.service, "port": {"number": plan.port}}}
    http = {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}
    return [{"host": host, "http": http} for host in plan.hosts] or [{"http": http}]


def addresses(plan: TrafficPlan, region: str = "") -> Sequence[dict[str, Any]]:
    """Return the gateways of clusters that have a share, each once, in order."""
    shares = plan.shares_from(region)
    hosts = {one.host for one in plan.backends if one.gateway and one.cluster in shares}
    return [{"hostname" if address_type(host) == "FQDN" else "ip": host} for host in sorted(hosts)]
