"""The objects by which a member knows a service: import, derived Service, slices (pure).

The import is the standard's; the derived Service gives it an address there, by which the member's
own kube-proxy, or any mesh, balances over all endpoints. Its slices are copies of those of their
source, one each, so that a change there is a change of one object here. Nothing here says which
member it is for, but the addresses in its import, and the names of nodes, which are a member's own.
"""

import hashlib
from typing import Any

from services.traffic.core.catalogue import ImportedService, ServiceName, ServicePort
from shared.api.multicluster import (
    DERIVED_SERVICE,
    IMPORT,
    MANAGER,
    SERVICE_MANAGED_BY,
    SERVICE_NAME_LABEL,
    SERVICES_API,
    SLICE_MANAGED_BY,
    SOURCE_CLUSTER_LABEL,
    derived_service_name,
)
from shared.apimachinery.manifest import Manifest
from shared.events.exports import EndpointReport, PortReport, SliceReport, family_of

KUBE_SERVICE = "kubernetes.io/service-name"
_CLOSE = frozenset({"PreferClose", "PreferSameZone", "PreferSameNode"})
_NAME_MAX = 63


def derived_name(name: ServiceName) -> str:
    """Return the name of the Service derived from the import of *name*."""
    return derived_service_name(*name)


def slice_name(name: ServiceName, cluster: str, source: str) -> str:
    """Return the name of the copy of slice *source* of *cluster*, the same at every time."""
    told = f"{name.name}-{cluster}"[: _NAME_MAX - 11].rstrip("-.")
    return f"{told}-{_hash(f'{name}/{cluster}/{source}')}"


def service_import(
    service: ImportedService, ips: tuple[str, ...] = (), api_version: str = SERVICES_API
) -> Manifest:
    """The ServiceImport in a member where its derived Service has *ips*."""
    spec: dict[str, Any] = {
        "type": service.type,
        "ports": [_port(port) for port in service.ports],
        "sessionAffinity": service.session_affinity,
    }
    if service.type == "ClusterSetIP" and ips:
        spec["ips"] = list(ips)
        spec["ipFamilies"] = [family_of(one) for one in ips]
    elif service.type == "Headless" and service.ip_families:
        spec["ipFamilies"] = list(service.ip_families)
    spec |= _behaviour(service)
    annotations = dict(service.annotations)
    if service.type == "ClusterSetIP":
        annotations[DERIVED_SERVICE] = derived_name(service.service)
    metadata: dict[str, Any] = {
        "name": service.service.name,
        "namespace": service.service.namespace,
        "annotations": annotations,
    }
    if service.labels:
        metadata["labels"] = dict(service.labels)
    return {"apiVersion": api_version, "kind": IMPORT, "metadata": metadata, "spec": spec}


def derived_service(service: ImportedService) -> Manifest:
    """The Service without a selector that the slices are of."""
    spec: dict[str, Any] = {
        "type": "ClusterIP",
        "ports": [_port(port) for port in service.ports],
        "sessionAffinity": service.session_affinity,
    }
    spec |= _behaviour(service)
    if service.type == "Headless":
        spec["clusterIP"] = "None"
        spec.pop("internalTrafficPolicy", None)
    else:
        # An address of each family that the member has; the import tells those that lead somewhere.
        spec["ipFamilyPolicy"] = "PreferDualStack"
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": derived_name(service.service),
            "namespace": service.service.namespace,
            "labels": {
                SERVICE_NAME_LABEL: service.service.name,
                SERVICE_MANAGED_BY: MANAGER,
            },
        },
        "spec": spec,
    }


def endpoint_slice(
    service: ImportedService, cluster: str, source: SliceReport, *, at_home: bool
) -> Manifest:
    """The copy of slice *source* of *cluster*; *at_home*: for that member itself."""
    zone = service.exporters[cluster].zone
    close = service.traffic_distribution in _CLOSE
    metadata = {
        "name": slice_name(service.service, cluster, source.name),
        "namespace": service.service.namespace,
        "labels": {
            KUBE_SERVICE: derived_name(service.service),
            SERVICE_NAME_LABEL: service.service.name,
            SOURCE_CLUSTER_LABEL: cluster,
            SLICE_MANAGED_BY: MANAGER,
        },
    }
    if service.type == "Headless":
        metadata["labels"]["service.kubernetes.io/headless"] = ""  # type: ignore[index]
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": metadata,
        "addressType": source.address_type,
        "ports": [_endpoint_port(port) for port in source.ports],
        "endpoints": [
            _endpoint(one, zone, close=close, at_home=at_home) for one in source.endpoints
        ],
    }


def _behaviour(service: ImportedService) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if service.session_affinity == "ClientIP" and service.session_affinity_seconds:
        client = {"timeoutSeconds": service.session_affinity_seconds}
        found["sessionAffinityConfig"] = {"clientIP": client}
    if service.internal_traffic_policy:
        found["internalTrafficPolicy"] = service.internal_traffic_policy
    if service.traffic_distribution:
        found["trafficDistribution"] = service.traffic_distribution
    return found


def _endpoint(endpoint: EndpointReport, zone: str, *, close: bool, at_home: bool) -> dict[str, Any]:
    found: dict[str, Any] = {
        "addresses": list(endpoint.addresses),
        "conditions": {
            "ready": endpoint.ready,
            "serving": endpoint.serving,
            "terminating": endpoint.terminating,
        },
    }
    if endpoint.hostname:
        found["hostname"] = endpoint.hostname
    if endpoint.node_name and at_home:
        # Another member may have a node of the same name.
        found["nodeName"] = endpoint.node_name
    where = endpoint.zone or zone
    if where:
        found["zone"] = where
    zones = endpoint.for_zones or ((where,) if close and where else ())
    if zones:
        found["hints"] = {"forZones": [{"name": one} for one in zones]}
    return found


def _port(port: ServicePort) -> dict[str, Any]:
    found: dict[str, Any] = {"port": port.port, "protocol": port.protocol}
    return _named(found, port.name, port.app_protocol)


def _endpoint_port(port: PortReport) -> dict[str, Any]:
    found: dict[str, Any] = {"port": port.port, "protocol": port.protocol, "name": port.name}
    return _named(found, "", port.app_protocol)


def _named(port: dict[str, Any], name: str, app_protocol: str) -> dict[str, Any]:
    if name:
        port["name"] = name
    if app_protocol:
        port["appProtocol"] = app_protocol
    return port


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=5).hexdigest()
