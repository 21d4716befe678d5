"""What external-dns is told: a DNSEndpoint of `externaldns.k8s.io/v1alpha1` for each policy.

It knows no regions, and weights only as one provider or another has them: it gets of each host
what is said to everyone, all addresses in use.
"""

import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from services.traffic.core.dns.global_names import PolicyName
from services.traffic.core.dns.names import parse_name, text_of
from services.traffic.core.dns.records import AAAA, CNAME, A
from services.traffic.core.dns.zone import EMPTY, Node
from shared.api.global_zone import GlobalZone
from shared.apimachinery.manifest import Manifest, ObjectKey

GROUP = "externaldns.k8s.io"
RESOURCE = "dnsendpoints"
DEFINITION = ObjectKey(
    "apiextensions.k8s.io", "customresourcedefinitions", "", f"{RESOURCE}.{GROUP}"
)
ZONE_LABEL = "hanse.dev/global-zone"
_TYPES = {A: "A", AAAA: "AAAA", CNAME: "CNAME"}


def dns_endpoints(
    zone: GlobalZone, hosts: Iterable[tuple[PolicyName, str]], nodes: Mapping[bytes, Node]
) -> dict[ObjectKey, Manifest]:
    """The objects that *zone* is to have: *hosts* with their policies, *nodes* what they say."""
    given = zone.spec.dns_endpoints
    of_policy: dict[PolicyName, list[dict[str, Any]]] = defaultdict(list)
    for policy, host in hosts:
        of_policy[policy] += _endpoints(host, nodes.get(parse_name(host), EMPTY))
    found: dict[ObjectKey, Manifest] = {}
    for (namespace, name), endpoints in of_policy.items():
        if not endpoints:
            continue
        key = ObjectKey(GROUP, RESOURCE, namespace, f"{name}.{zone.metadata.name}")
        labels = {**(given.labels if given is not None else {}), ZONE_LABEL: zone.metadata.name}
        found[key] = {
            "apiVersion": f"{GROUP}/v1alpha1",
            "kind": "DNSEndpoint",
            "metadata": {"name": key.name, "namespace": namespace, "labels": labels},
            "spec": {"endpoints": endpoints},
        }
    return found


def _endpoints(host: str, node: Node) -> Iterable[dict[str, Any]]:
    for kind, name in _TYPES.items():
        if kind in node:
            yield {
                "dnsName": host,
                "recordType": name,
                "recordTTL": node[kind].ttl,
                "targets": [_target(kind, data) for data in node[kind].data],
            }


def _target(kind: int, data: bytes) -> str:
    if kind == CNAME:
        return text_of(data).removesuffix(".")
    return str(ipaddress.ip_address(data))
