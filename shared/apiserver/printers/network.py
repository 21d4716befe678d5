"""The columns of services, endpoints, ingresses and their relatives."""

from collections.abc import Iterator, Mapping
from typing import Any

from shared.apimachinery.manifest import Manifest
from shared.apiserver.kinds import Column
from shared.apiserver.printers.cells import (
    AGE,
    NONE,
    UNSET,
    column,
    dig,
    field,
    items,
    joined,
    labels_text,
    name_or_default,
    selector_text,
)


def _cluster_address(service: Manifest) -> str:
    addresses = items(service, "spec", "clusterIPs")
    return str(addresses[0] if addresses else dig(service, "spec", "clusterIP") or NONE)


def _external_address(service: Manifest) -> str:
    external = list(items(service, "spec", "externalIPs"))
    match dig(service, "spec", "type") or "ClusterIP":
        case "ExternalName":
            return str(dig(service, "spec", "externalName") or "")
        case "LoadBalancer":
            found = [address for address in _balancers(service) if address]
            return ",".join(sorted(set(found)) + external) or "<pending>"
        case _:
            return ",".join(external) or NONE


def _balancers(manifest: Manifest) -> Iterator[str]:
    for one in items(manifest, "status", "loadBalancer", "ingress"):
        yield one.get("ip") or one.get("hostname") or ""


def _service_ports(service: Manifest) -> str:
    return ",".join(map(_service_port, items(service, "spec", "ports"))) or NONE


def _service_port(port: Mapping[str, Any]) -> str:
    node = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port.get('port')}{node}/{port.get('protocol') or 'TCP'}"


SERVICE: tuple[Column, ...] = (
    field("Type", "spec", "type", absent="ClusterIP"),
    column("Cluster-IP", _cluster_address),
    column("External-IP", _external_address),
    column("Port(s)", _service_ports),
    AGE,
    column("Selector", lambda one: labels_text(dig(one, "spec", "selector")), wide=True),
)


def _endpoints(endpoints: Manifest) -> str:
    found: list[str] = []
    subsets = items(endpoints, "subsets")
    if not subsets:
        return NONE
    for subset in subsets:
        addresses = [address.get("ip") for address in items(subset, "addresses")]
        ports = [port.get("port") for port in items(subset, "ports")]
        if ports:
            found += [_host_port(address, port) for port in ports for address in addresses]
        else:
            found += addresses
    return joined(found)


def _host_port(address: Any, port: Any) -> str:
    return f"[{address}]:{port}" if ":" in str(address) else f"{address}:{port}"


ENDPOINTS: tuple[Column, ...] = (column("Endpoints", _endpoints), AGE)


def _slice_ports(endpoint_slice: Manifest) -> str:
    ports = items(endpoint_slice, "ports")
    return joined(one.get("port") or one.get("name") or "" for one in ports) or UNSET


def _slice_addresses(endpoint_slice: Manifest) -> str:
    addresses = (
        address
        for endpoint in items(endpoint_slice, "endpoints")
        for address in items(endpoint, "addresses")
    )
    return joined(addresses) or UNSET


ENDPOINT_SLICE: tuple[Column, ...] = (
    field("AddressType", "addressType"),
    column("Ports", _slice_ports),
    column("Endpoints", _slice_addresses),
    AGE,
)


def _hosts(ingress: Manifest) -> str:
    """Three hosts; what follows the third is counted as rules, whether they name a host or not."""
    rules = items(ingress, "spec", "rules")
    named = [position for position, rule in enumerate(rules) if rule.get("host")][:3]
    text = ",".join(rules[position]["host"] for position in named) or "*"
    more = len(named) == 3 and len(rules) > named[-1] + 1
    return f"{text} + {len(rules) - 3} more..." if more else text


def _ingress_address(ingress: Manifest) -> str:
    return ",".join(sorted({address for address in _balancers(ingress) if address}))


INGRESS: tuple[Column, ...] = (
    field("Class", "spec", "ingressClassName", absent=NONE),
    column("Hosts", _hosts),
    column("Address", _ingress_address),
    column("Ports", lambda one: "80, 443" if items(one, "spec", "tls") else "80"),
    AGE,
)


def _parameters(ingress_class: Manifest) -> str:
    found = dig(ingress_class, "spec", "parameters")
    if not found:
        return NONE
    group = f".{found['apiGroup']}" if found.get("apiGroup") else ""
    return f"{found.get('kind')}{group}/{found.get('name')}"


INGRESS_CLASS: tuple[Column, ...] = (
    name_or_default("ingressclass.kubernetes.io/is-default-class"),
    field("Controller", "spec", "controller"),
    column("Parameters", _parameters),
    AGE,
)
NETWORK_POLICY: tuple[Column, ...] = (
    column("Pod-Selector", lambda one: selector_text(dig(one, "spec", "podSelector"))),
    AGE,
)


def _parent(address: Manifest) -> str:
    parent = dig(address, "spec", "parentRef") or {}
    parts = [parent.get(name) for name in ("resource", "namespace", "name") if parent.get(name)]
    if parent.get("group"):
        parts[0] = f"{parent.get('resource')}.{parent['group']}"
    return "/".join(map(str, parts))


IP_ADDRESS: tuple[Column, ...] = (column("ParentRef", _parent), AGE)
SERVICE_CIDR: tuple[Column, ...] = (
    column("CIDRs", lambda one: ",".join(items(one, "spec", "cidrs"))),
    AGE,
)
