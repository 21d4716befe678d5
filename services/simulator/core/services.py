"""Services: their addresses, and the endpoints behind them.

Addresses are given as the API server does, with the first write; endpoints follow the pods, as
`k8s.io/kubernetes/pkg/controller/endpoint` and `.../endpointslice` write them.
"""

import zlib
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

from services.simulator.core.fields import (
    controller_reference,
    entries,
    is_deleting,
    number,
    section,
    with_status,
)
from services.simulator.core.plan import (
    ENDPOINT_SLICES,
    ENDPOINTS,
    NOTHING,
    SERVICES,
    Create,
    Delete,
    Plan,
    Replace,
    Write,
    replace_if_changed,
)
from services.simulator.core.pods import is_finished, is_ready, node_of
from shared.apimachinery.manifest import Manifest, labels_of, name_of, namespace_of, uid_of

MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
SERVICE_NAME = "kubernetes.io/service-name"
_MANAGER = "endpointslice-controller.k8s.io"
NODE_PORTS = range(30_000, 32_768)
# As many as a real controller puts into one slice.
SLICE_SIZE = 100


def pick(seed: str, count: int, taken: Container[int]) -> int:
    """Return a number below *count* that is not taken, the same one for the same *seed*.

    Raises ValueError when all are taken.
    """
    start = zlib.crc32(seed.encode()) % count
    for step in range(count):
        if (start + step) % count not in taken:
            return (start + step) % count
    raise ValueError("every one is taken")


def with_addresses(
    service: Manifest, before: Manifest | None, network: IPv4Network, others: Iterable[Manifest]
) -> Manifest:
    """Return *service* with defaults, a cluster IP and node ports, kept from *before* if there.

    Raises ValueError when the network has no address left.
    """
    spec = dict(section(service, "spec"))
    old = section(before, "spec") if before is not None else {}
    kind = spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    if kind == "ExternalName":
        return {**service, "spec": spec}
    given = spec.get("clusterIP") or old.get("clusterIP")
    # Of thousands of Services, all are looked at only for what none of them may have already.
    choosing = not given or kind in ("LoadBalancer", "NodePort")
    rivals = [one for one in others if uid_of(one) != uid_of(service)] if choosing else []
    spec["clusterIP"] = given or _free_address(service, network, rivals)
    if spec["clusterIP"] != "None" or section(service, "spec").get("selector"):
        spec.setdefault("ipFamilies", ["IPv4"])
    spec["clusterIPs"] = [spec["clusterIP"]]
    spec.setdefault("ipFamilyPolicy", "SingleStack")
    spec.setdefault("internalTrafficPolicy", "Cluster")
    if kind == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
    if kind in ("LoadBalancer", "NodePort"):
        spec.setdefault("externalTrafficPolicy", "Cluster")
    spec["ports"] = _with_ports(service, spec, old, rivals)
    if not spec["ports"]:
        del spec["ports"]
    return {**service, "spec": spec}


def _free_address(service: Manifest, network: IPv4Network, rivals: Iterable[Manifest]) -> str:
    taken = {section(one, "spec").get("clusterIP") for one in rivals}
    seed = f"{namespace_of(service)}/{name_of(service)}"
    return str(network[pick(seed, network.num_addresses, _Taken(network, taken))])


@dataclass(frozen=True, slots=True)
class _Taken:
    """Numbers in the network of what is taken: neither itself, nor its broadcast, nor the API's."""

    network: IPv4Network
    addresses: Container[Any]

    def __contains__(self, number: object) -> bool:
        assert isinstance(number, int)
        reserved = number < 11 or number == self.network.num_addresses - 1
        return reserved or str(self.network[number]) in self.addresses


def _with_ports(
    service: Manifest, spec: Mapping[str, Any], old: Mapping[str, Any], rivals: Iterable[Manifest]
) -> list[dict[str, Any]]:
    wants_node_port = spec["type"] == "NodePort" or (
        spec["type"] == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is not False
    )
    before = {
        (one.get("protocol", "TCP"), one.get("port")): one.get("nodePort")
        for one in entries(old, "ports")
    }
    taken: set[int] = set()
    if wants_node_port:
        taken = {
            number(port, "nodePort") - NODE_PORTS.start
            for one in rivals
            for port in entries(section(one, "spec"), "ports")
            if port.get("nodePort")
        }
    ports = []
    for port in entries(spec, "ports"):
        full = {"protocol": "TCP", **port}
        full.setdefault("targetPort", full.get("port"))
        if wants_node_port and not full.get("nodePort"):
            kept = before.get((full["protocol"], full.get("port")))
            seed = f"{namespace_of(service)}/{name_of(service)}/{full.get('port')}"
            full["nodePort"] = kept or NODE_PORTS[pick(seed, len(NODE_PORTS), taken)]
        if full.get("nodePort"):
            taken.add(int(full["nodePort"]) - NODE_PORTS.start)
        ports.append(full)
    return ports


def plan_service(
    service: Manifest,
    pods: Sequence[Manifest],
    endpoints: Manifest | None,
    slices: Sequence[Manifest],
    balancer_address: str,
) -> Plan:
    """Return the endpoints as they should be. *balancer_address* is for a LoadBalancer."""
    if is_deleting(service):
        return NOTHING
    writes: list[Write] = []
    spec = section(service, "spec")
    balancer: dict[str, Any] = {}
    if spec.get("type") == "LoadBalancer":
        balancer = {"ingress": [{"ip": balancer_address, "ipMode": "VIP"}]}
    changed = with_status(service, {**section(service, "status"), "loadBalancer": balancer})
    writes.extend(replace_if_changed(SERVICES, service, changed))
    # Without a selector somebody else writes the endpoints.
    if spec.get("selector") and spec.get("type") != "ExternalName":
        members = sorted(
            (pod for pod in pods if _address(pod) and not is_finished(pod)), key=name_of
        )
        writes.extend(_write_endpoints(service, members, endpoints))
        writes.extend(_write_slices(service, members, slices))
    return Plan(tuple(writes))


def _address(pod: Manifest) -> str:
    return str(section(pod, "status").get("podIP") or "")


def _reference(pod: Manifest) -> dict[str, str]:
    return {
        "kind": "Pod",
        "name": name_of(pod),
        "namespace": namespace_of(pod),
        "uid": uid_of(pod),
    }


def _ports(service: Manifest, pods: Sequence[Manifest]) -> list[dict[str, Any]]:
    """Return the ports pods listen on; a name is looked up in the first pod that has it."""
    found = []
    for port in entries(section(service, "spec"), "ports"):
        target = port.get("targetPort") or port.get("port")
        if isinstance(target, str):
            target = _named_port(target, pods)
        if target is None:
            continue
        one: dict[str, Any] = {"name": port.get("name", ""), "port": target}
        one["protocol"] = port.get("protocol", "TCP")
        if port.get("appProtocol"):
            one["appProtocol"] = port["appProtocol"]
        found.append(one)
    return found


def _named_port(name: str, pods: Sequence[Manifest]) -> int | None:
    for pod in pods:
        for container in entries(section(pod, "spec"), "containers"):
            for port in entries(container, "ports"):
                if port.get("name") == name:
                    return number(port, "containerPort")
    return None


def _write_endpoints(
    service: Manifest, pods: Sequence[Manifest], before: Manifest | None
) -> tuple[Write, ...]:
    unready_too = bool(section(service, "spec").get("publishNotReadyAddresses"))
    sides: dict[str, list[dict[str, Any]]] = {"addresses": [], "notReadyAddresses": []}
    for pod in pods:
        side = "addresses" if is_ready(pod) or unready_too else "notReadyAddresses"
        address = {"ip": _address(pod), "nodeName": node_of(pod), "targetRef": _reference(pod)}
        sides[side].append(address)
    subset: dict[str, Any] = {side: found for side, found in sides.items() if found}
    ports = [{k: v for k, v in port.items() if v != ""} for port in _ports(service, pods)]
    if ports:
        subset["ports"] = ports
    wanted: Manifest = {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {
            "name": name_of(service),
            "namespace": namespace_of(service),
            "labels": {
                **labels_of(service),
                "endpoints.kubernetes.io/managed-by": "endpoint-controller",
            },
        },
    }
    if pods:
        wanted["subsets"] = [subset]
    if before is None:
        return (Create(ENDPOINTS, wanted),)
    changed = {**wanted, "metadata": {**before["metadata"], "labels": wanted["metadata"]["labels"]}}
    return replace_if_changed(ENDPOINTS, before, changed)


def _write_slices(
    service: Manifest, pods: Sequence[Manifest], before: Sequence[Manifest]
) -> list[Write]:
    """Fill the slices there are in order of name, then more; surplus ones go."""
    own = sorted((one for one in before if labels_of(one).get(MANAGED_BY) == _MANAGER), key=name_of)
    chunks = [list(pods[at : at + SLICE_SIZE]) for at in range(0, len(pods), SLICE_SIZE)] or [[]]
    writes: list[Write] = []
    for place, chunk in enumerate(chunks):
        wanted = _make_slice(service, chunk, pods)
        if place >= len(own):
            writes.append(Create(ENDPOINT_SLICES, wanted))
            continue
        old = own[place]
        changed = {
            **wanted,
            "metadata": {**old["metadata"], "labels": wanted["metadata"]["labels"]},
        }
        if changed != old:
            changed["metadata"]["generation"] = number(old["metadata"], "generation") + 1
            writes.append(Replace(ENDPOINT_SLICES, old, changed))
    writes.extend(Delete(ENDPOINT_SLICES, one) for one in own[len(chunks) :])
    return writes


def _host_name(service: Manifest, pod: Manifest) -> dict[str, str]:
    """By which DNS knows a pod of a StatefulSet whose `serviceName` is this service."""
    spec = section(pod, "spec")
    named = spec.get("hostname") and spec.get("subdomain") == name_of(service)
    return {"hostname": str(spec["hostname"])} if named else {}


def _make_slice(service: Manifest, chunk: Sequence[Manifest], pods: Sequence[Manifest]) -> Manifest:
    unready_too = bool(section(service, "spec").get("publishNotReadyAddresses"))
    labels = {**labels_of(service), MANAGED_BY: _MANAGER, SERVICE_NAME: name_of(service)}
    if section(service, "spec").get("clusterIP") == "None":
        labels["service.kubernetes.io/headless"] = ""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "generateName": name_of(service) + "-",
            "namespace": namespace_of(service),
            "labels": labels,
            "ownerReferences": [controller_reference(service)],
        },
        "addressType": "IPv4",
        "endpoints": [
            {
                "addresses": [_address(pod)],
                "conditions": {
                    "ready": unready_too or (is_ready(pod) and not is_deleting(pod)),
                    "serving": is_ready(pod),
                    "terminating": is_deleting(pod),
                },
                **_host_name(service, pod),
                "nodeName": node_of(pod),
                "targetRef": _reference(pod),
            }
            for pod in chunk
        ],
        "ports": _ports(service, pods),
    }
