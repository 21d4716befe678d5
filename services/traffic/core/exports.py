"""Many exports of one service make one: what they agree on, and who wins where they do not (pure).

The oldest export wins (KEP-1645), and among those of one second the cluster that comes first by
name, so that the outcome does not depend on the order in which anything was heard. Ports are the
union of all; where two clash, the older one's stays and the younger's endpoints do not serve it.
That there is a conflict is told to every export concerned.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.traffic.core.catalogue import ImportType, Protocol, ServicePort
from services.traffic.core.exported_marks import (
    exported_annotations,
    exported_labels,
    left_out,
)
from shared.api.multicluster import INVALID_SERVICE_TYPE, NO_SERVICE, VALID
from shared.events.exports import ExportReport, PortReport, ServiceFace, ServiceReport

# As Kubernetes fills it in.
_AFFINITY_SECONDS = 10_800
_NAMED_MAX = 5
_TOLD_MAX = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class HubExport:
    """The ServiceExport at the hub: it exports the service in every member that has it."""

    since: str
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """One member's export of a service that can be exported. `since` is RFC 3339."""

    cluster: str
    since: str
    face: ServiceFace
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def age(self) -> tuple[str, str]:
        """By which exports stand in order, the oldest first."""
        return self.since, self.cluster

    @property
    def type(self) -> ImportType:
        return "Headless" if self.face.headless else "ClusterSetIP"

    @property
    def ports(self) -> tuple[ServicePort, ...]:
        return tuple(_service_port(port) for port in self.face.ports)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """One property in which exports differ. `reason` is a word of the standard."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What all exports of a service come to.

    `accepted`: by cluster the ports its endpoints serve. `conflicts` concern all of them.
    """

    winner: Export
    ports: tuple[ServicePort, ...]
    accepted: Mapping[str, tuple[ServicePort, ...]]
    conflicts: tuple[Conflict, ...] = ()


@dataclass(frozen=True, slots=True)
class Validity:
    """Whether one member's export can be one. `reason` is a word of the standard."""

    reason: str
    message: str

    @property
    def is_valid(self) -> bool:
        return self.reason == VALID


def judge_export(report: ServiceReport, hub: HubExport | None) -> Validity:
    """Tell whether what a member reports can be exported."""
    face = report.service
    if face is None:
        who = "the hub exports it, but" if report.export is None and hub is not None else ""
        return Validity(NO_SERVICE, f"{who} there is no Service of that name".strip())
    if face.type == "ExternalName":
        message = "a Service of type ExternalName has no endpoints that could be exported"
        return Validity(INVALID_SERVICE_TYPE, message)
    without = _without(report.export or hub)
    if report.left_out:
        without += f", without {', '.join(report.left_out)}"
    return Validity(VALID, f"the Service can be exported{without}")


def _without(source: ExportReport | HubExport | None) -> str:
    names = left_out(source.labels, source.annotations) if source is not None else ()
    if not names:
        return ""
    more = f" and {len(names) - _NAMED_MAX} more" if len(names) > _NAMED_MAX else ""
    return f", but no import can bear {', '.join(names[:_NAMED_MAX])}{more}"


def exports_of(reports: Mapping[str, ServiceReport], hub: HubExport | None) -> list[Export]:
    """Return every export that is valid, the oldest first.

    Where a member exports the service itself, its own word counts before the hub's.
    """
    found = []
    for cluster, report in reports.items():
        face, own = report.service, report.export
        if face is None or (own is None and hub is None):
            continue
        if not judge_export(report, hub).is_valid:
            continue
        source = own if own is not None else hub
        assert source is not None
        found.append(
            Export(
                cluster=cluster,
                since=source.since,
                face=face,
                labels=exported_labels(source.labels),
                annotations=exported_annotations(source.annotations),
            )
        )
    return sorted(found, key=lambda one: one.age)


def settle(exports: Iterable[Export]) -> Settled | None:
    """Settle all conflicts; None where nobody exports. Order-free."""
    ordered = sorted(exports, key=lambda one: one.age)
    if not ordered:
        return None
    winner = ordered[0]
    ports, accepted, clashes = _merge_ports(ordered)
    conflicts = [*clashes, *_differences(winner, ordered[1:])]
    return Settled(winner=winner, ports=ports, accepted=accepted, conflicts=tuple(conflicts))


def _merge_ports(
    exports: Sequence[Export],
) -> tuple[tuple[ServicePort, ...], dict[str, tuple[ServicePort, ...]], list[Conflict]]:
    union: list[ServicePort] = []
    # The place in the union of what has a name, or a number.
    places: dict[str | tuple[int, Protocol], int] = {}
    whose: list[str] = []
    accepted: dict[str, tuple[ServicePort, ...]] = {}
    messages: list[str] = []
    for export in exports:
        own = []
        for port in export.ports:
            marks = port.name, (port.port, port.protocol)
            found = sorted({places[mark] for mark in marks if mark in places})
            rival = next((place for place in found if union[place] != port), None)
            if rival is None:
                if not found:
                    places.update(dict.fromkeys(marks, len(union)))
                    union.append(port)
                    whose.append(export.cluster)
                own.append(port)
            elif len(messages) < _TOLD_MAX:
                messages.append(
                    f"{export.cluster} has {_said(port)}, which {whose[rival]}, the older export,"
                    f" has as {_said(union[rival])}"
                )
        accepted[export.cluster] = tuple(own)
    for export in exports:
        having = set(export.ports)
        missing = [port for port in union if port not in having]
        if missing and not messages:
            names = ", ".join(_said(port) for port in missing[:_TOLD_MAX])
            messages.append(f"{export.cluster} does not have {names}")
    conflicts = [Conflict(reason="PortConflict", message="; ".join(messages))] if messages else []
    return tuple(union), accepted, conflicts


_Property = tuple[str, str, Callable[[Export], Any]]
_PROPERTIES: tuple[_Property, ...] = (
    ("TypeConflict", "the type", lambda one: one.type),
    ("SessionAffinityConflict", "the session affinity", lambda one: one.face.session_affinity),
    ("SessionAffinityConfigConflict", "how long it lasts", lambda one: affinity_seconds(one.face)),
    ("LabelsConflict", "the exported labels", lambda one: dict(one.labels)),
    ("AnnotationsConflict", "the exported annotations", lambda one: dict(one.annotations)),
    (
        "InternalTrafficPolicyConflict",
        "the internal traffic policy",
        lambda one: one.face.internal_traffic_policy or "Cluster",
    ),
    (
        "TrafficDistributionConflict",
        "the traffic distribution",
        lambda one: one.face.traffic_distribution,
    ),
    ("IPFamilyConflict", "the IP families", lambda one: sorted(one.face.ip_families)),
)


def affinity_seconds(face: ServiceFace) -> int | None:
    """How long a client stays with its endpoint; None where it does not."""
    if face.session_affinity != "ClientIP":
        return None
    return face.session_affinity_seconds or _AFFINITY_SECONDS


def _differences(winner: Export, others: Sequence[Export]) -> list[Conflict]:
    found = []
    for reason, what, value in _PROPERTIES:
        wins = value(winner)
        if reason == "SessionAffinityConfigConflict":
            # Of clients that stay nowhere it makes no difference.
            rivals = [one for one in others if value(one) is not None and wins is not None]
        else:
            rivals = list(others)
        different = [one for one in rivals if value(one) != wins]
        if different:
            names = ", ".join(f"{one.cluster} ({_shown(value(one))})" for one in different)
            message = (
                f"{what} is {_shown(wins)}, as {winner.cluster}, the oldest export, has it;"
                f" not so {names}"
            )
            found.append(Conflict(reason=reason, message=message))
    return found


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ",".join(f"{name}={text}" for name, text in sorted(value.items())) or "none"
    if isinstance(value, list):
        return ",".join(value) or "none"
    return str(value) if value not in (None, "") else "none"


def _said(port: ServicePort) -> str:
    return f"{port.name + ' ' if port.name else ''}{port.port}/{port.protocol}"


def _service_port(port: PortReport) -> ServicePort:
    return ServicePort(
        name=port.name,
        protocol=port.protocol,
        port=port.port,
        app_protocol=port.app_protocol,
    )
