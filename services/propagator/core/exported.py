"""What a worker reads of Services, EndpointSlices and ServiceExports in its member (pure).

Members are other people's clusters: what is no sane object is read as far as it goes, and what
cannot be understood of it is left out rather than guessed.
"""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from services.propagator.core.export_intake import Intake, TakenSlice, take_slice
from services.propagator.core.observed import reader_of
from shared.api.multicluster import SERVICE_NAME_LABEL, SOURCE_CLUSTER_LABEL
from shared.apimachinery.manifest import Manifest
from shared.events.exports import ExportReport, ServiceFace, ServiceReport, family_of

SERVICE_LABEL = "kubernetes.io/service-name"

_FAMILIES = ("IPv4", "IPv6")
_AFFINITY_SECONDS = range(1, 86_401)
"""What Kubernetes takes; it fills in three hours itself."""


class _Metadata(msgspec.Struct, rename="camel"):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str = ""
    deletion_timestamp: str | None = None
    labels: dict[str, str] | None = None


class ServiceObject(msgspec.Struct, rename="camel"):
    """As much as is needed of a Service, an EndpointSlice, a ServiceExport or a Namespace."""

    metadata: _Metadata = msgspec.field(default_factory=_Metadata)
    spec: Any = None
    status: Any = None
    address_type: str = ""
    endpoints: Any = None
    ports: Any = None

    @property
    def place(self) -> tuple[str, str]:
        return self.metadata.namespace, self.metadata.name

    @property
    def slice_of(self) -> str:
        """Of a slice the name of its Service; empty for one that was imported, or is nobody's."""
        labels = self.metadata.labels or {}
        if SOURCE_CLUSTER_LABEL in labels or SERVICE_NAME_LABEL in labels:
            return ""
        return labels.get(SERVICE_LABEL, "")


read_service_object = reader_of(ServiceObject)


def service_object(manifest: Manifest) -> ServiceObject:
    """The same from a list's item."""
    return read_service_object(msgspec.json.encode(manifest))


def report_of(
    export: ServiceObject | None,
    service: ServiceObject | None,
    slices: Iterable[ServiceObject],
    ips: tuple[str, ...],
    *,
    exported: bool,
    taken: Callable[[ServiceObject], TakenSlice] | None = None,
) -> ServiceReport | None:
    """What to report of a service; None where it is neither exported here nor imported.

    *exported* says so also where the hub exports it, and the member has no *export* of its own;
    then a member without the Service has nothing to say. *taken* is `taken_of`, remembered.
    """
    if not exported or (export is None and service is None):
        return ServiceReport(ips=ips) if ips else None
    intake = Intake()
    face = _face(service, intake) if service is not None else None
    there = [one for one in slices if one.metadata.deletion_timestamp is None]
    found = intake.slices(map(taken or taken_of, there)) if service is not None else ()
    return ServiceReport(
        export=_export(export) if export is not None else None,
        service=face,
        slices=found,
        ips=ips,
        left_out=intake.left_out,
    )


def taken_of(slice_: ServiceObject) -> TakenSlice:
    """What is taken in of a slice, whatever service it is of."""
    return take_slice(slice_.metadata.name, slice_.address_type, slice_.ports, slice_.endpoints)


def addresses_of(derived: ServiceObject) -> tuple[str, ...]:
    """The addresses a derived Service was given; none yet, or none ever for a headless one."""
    spec = _mapping(derived.spec)
    given = spec.get("clusterIPs") or [spec.get("clusterIP")]
    return tuple(one for one in map(str, _list(given)) if family_of(one))


def _export(export: ServiceObject) -> ExportReport:
    spec, metadata = _mapping(export.spec), export.metadata
    return ExportReport(
        uid=metadata.uid,
        since=metadata.creation_timestamp,
        generation=metadata.generation,
        labels=_texts(spec.get("exportedLabels")),
        annotations=_texts(spec.get("exportedAnnotations")),
    )


def _face(service: ServiceObject, intake: Intake) -> ServiceFace:
    spec = _mapping(service.spec)
    affinity = "ClientIP" if spec.get("sessionAffinity") == "ClientIP" else "None"
    client = _mapping(_mapping(spec.get("sessionAffinityConfig")).get("clientIP"))
    seconds = client.get("timeoutSeconds")
    return ServiceFace(
        type=str(spec.get("type") or "ClusterIP"),
        headless=spec.get("clusterIP") == "None",
        since=service.metadata.creation_timestamp,
        ports=intake.ports(spec.get("ports")),
        session_affinity=affinity,  # type: ignore[arg-type]
        session_affinity_seconds=seconds
        if type(seconds) is int and seconds in _AFFINITY_SECONDS
        else None,
        ip_families=tuple(one for one in _list(spec.get("ipFamilies")) if one in _FAMILIES),
        internal_traffic_policy=str(spec.get("internalTrafficPolicy") or ""),
        traffic_distribution=str(spec.get("trafficDistribution") or ""),
        ingress=intake.hosts(_ingress(_mapping(service.status))),
    )


def _ingress(status: dict[str, Any]) -> Iterable[Any]:
    given = [_mapping(one) for one in _list(_mapping(status.get("loadBalancer")).get("ingress"))]
    return (one.get("ip") or one.get("hostname") for one in given)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _texts(value: Any) -> dict[str, str]:
    return {str(name): str(text) for name, text in _mapping(value).items()}
