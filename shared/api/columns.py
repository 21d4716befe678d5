"""What `kubectl get` shows of Hanse's kinds.

A column either names a path into the object or computes its cell, since a decision such as
`eu-1:3,us-1:2` is spread over a list.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from shared.api.binding import AGGREGATED, DRIFTED, FULLY_APPLIED, HEALTHY, REMOVING, SCHEDULED
from shared.api.cluster import DRAINING_TAINT, READY
from shared.api.interpreter import SPEAKING
from shared.api.override import OVERRIDES_APPLIED
from shared.apimachinery.manifest import Manifest
from shared.apimachinery.quantity import canonical_quantity, parse_quantity, subtract_quantities

Cell = Callable[[Manifest, datetime], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class PrinterColumn:
    """Exactly one of `json_path` and `cell` is set; `wide` shows with `-o wide` only."""

    name: str
    type: Literal["string", "integer", "date"] = "string"
    description: str = ""
    wide: bool = False
    json_path: str = ""
    cell: Cell | None = None


def condition_cell(type_: str) -> Cell:
    def cell(manifest: Manifest, _: datetime) -> Any:
        for condition in _status(manifest).get("conditions") or ():
            if condition.get("type") == type_:
                return condition.get("status")
        return "Unknown"

    return cell


def message_cell(*types: str) -> Cell:
    """Of the first of *types* that is not True."""

    def cell(manifest: Manifest, _: datetime) -> Any:
        conditions = {one.get("type"): one for one in _status(manifest).get("conditions") or ()}
        for type_ in types:
            condition = conditions.get(type_)
            if condition is not None and condition.get("status") != "True":
                return condition.get("message") or condition.get("reason")
        return ""

    return cell


def _operations(manifest: Manifest, _: datetime) -> str:
    return ",".join(sorted(_spec(manifest).get("customizations") or ()))


def _names(field: str) -> Cell:
    def cell(manifest: Manifest, _: datetime) -> str:
        return ",".join(str(one) for one in _spec(manifest).get(field) or ())

    return cell


def _mode(manifest: Manifest, _: datetime) -> str:
    return str(_spec(manifest).get("mode") or "Push")


def _nodes(manifest: Manifest, _: datetime) -> str:
    capacity = _status(manifest).get("capacity")
    if not capacity:
        return "<unknown>"
    return f"{capacity.get('nodesReady', 0)}/{capacity.get('nodesTotal', 0)}"


def _free(resource: str) -> Cell:
    def cell(manifest: Manifest, _: datetime) -> str:
        capacity = _status(manifest).get("capacity") or {}
        allocatable = (capacity.get("allocatable") or {}).get(resource)
        if allocatable is None:
            return "<unknown>"
        taken = (capacity.get("allocated") or {}).get(resource, "0")
        try:
            free = subtract_quantities(parse_quantity(allocatable), parse_quantity(taken))
        except ValueError:
            return "<unknown>"
        if resource == "memory":
            # Round down to whole MiB: a number of bytes is unreadable in a column.
            return canonical_quantity(f"{int(free) // 2**20}Mi")
        return canonical_quantity(f"{int(free * 1000)}m")

    return cell


def _taints(manifest: Manifest, _: datetime) -> str:
    taints = [*(_spec(manifest).get("taints") or ()), *(_status(manifest).get("taints") or ())]
    return ",".join(f"{taint.get('key')}:{taint.get('effect')}" for taint in taints) or "<none>"


def _ready(manifest: Manifest, now: datetime) -> str:
    """`True`, or `True,Draining`, as kubectl says of nodes that take nothing new."""
    ready = str(condition_cell(READY)(manifest, now))
    taints = _spec(manifest).get("taints") or ()
    draining = any(taint.get("key") == DRAINING_TAINT for taint in taints)
    return f"{ready},Draining" if draining else ready


def _placed(manifest: Manifest, _: datetime) -> str:
    """`eu-1:3,us-1:2`, or `eu-1,us-1` where every cluster holds the whole."""
    return _shares(_spec(manifest).get("clusters") or ()) or "<none>"


def _leaving(manifest: Manifest, _: datetime) -> str:
    evictions = _spec(manifest).get("evictions") or ()
    return ",".join(str(one.get("cluster")) for one in evictions) or "<none>"


def _shares(clusters: Iterable[Mapping[str, Any]]) -> str:
    return ",".join(
        str(one.get("name"))
        if one.get("replicas") is None
        else f"{one.get('name')}:{one['replicas']}"
        for one in clusters
    )


def _policy(manifest: Manifest, _: datetime) -> str:
    policy = _spec(manifest).get("policy")
    return f"{policy.get('kind', '')}/{policy.get('name', '')}" if policy else "<none>"


def _binding_message(manifest: Manifest, now: datetime) -> Any:
    """The first thing that is not as it should be: nobody should have to look for it."""
    for say in _TROUBLES:
        if message := say(manifest, now):
            return message
    return ""


def _standing_message(type_: str) -> Cell:
    """Of a condition that is true only while something is wrong."""

    def cell(manifest: Manifest, _: datetime) -> Any:
        for condition in _status(manifest).get("conditions") or ():
            if condition.get("type") == type_ and condition.get("status") == "True":
                return condition.get("message") or condition.get("reason")
        return ""

    return cell


def _selected(manifest: Manifest, _: datetime) -> int:
    return int(_status(manifest).get("selected") or 0)


def _priority(manifest: Manifest, _: datetime) -> int:
    return int(_spec(manifest).get("priority") or 0)


def _replication(manifest: Manifest, _: datetime) -> str:
    rules = (_spec(manifest).get("placement") or {}).get("replicaScheduling")
    if rules is None:
        return "Duplicated"
    return str(rules.get("replicaSchedulingType") or "Divided")


def _rules(manifest: Manifest, _: datetime) -> int:
    spec = _spec(manifest)
    return len(spec.get("overrideRules") or ()) or int(bool(spec.get("overriders")))


def _health(manifest: Manifest, _: datetime) -> str:
    return str(_status(manifest).get("health") or "Unknown")


def _spec(manifest: Manifest) -> Mapping[str, Any]:
    return manifest.get("spec") or {}


def _status(manifest: Manifest) -> Mapping[str, Any]:
    return manifest.get("status") or {}


_TROUBLES: tuple[Cell, ...] = (
    message_cell(SCHEDULED),
    message_cell(FULLY_APPLIED),
    _standing_message(REMOVING),
    message_cell(HEALTHY),
    message_cell(AGGREGATED),
    _standing_message(DRIFTED),
)
APPLIED = "Applied"
AGE = PrinterColumn(
    name="Age",
    type="date",
    description="Time since the object was created.",
    json_path=".metadata.creationTimestamp",
)

CLUSTER_COLUMNS = (
    PrinterColumn(name="Version", json_path=".status.kubernetesVersion"),
    PrinterColumn(name="Mode", cell=_mode),
    PrinterColumn(
        name="Ready", description="With Draining beside it while it is emptied.", cell=_ready
    ),
    PrinterColumn(name="Region", json_path=".spec.region"),
    PrinterColumn(name="Zone", json_path=".spec.zone", wide=True),
    PrinterColumn(name="Provider", json_path=".spec.provider"),
    PrinterColumn(name="Nodes", description="Ready nodes of all nodes.", cell=_nodes),
    PrinterColumn(name="Free-CPU", description="What pods may still request.", cell=_free("cpu")),
    PrinterColumn(
        name="Free-Memory", description="What pods may still request.", cell=_free("memory")
    ),
    PrinterColumn(name="Taints", wide=True, cell=_taints),
    PrinterColumn(name="Endpoint", wide=True, json_path=".spec.apiEndpoint"),
    AGE,
)
GROUP_COLUMNS = (
    PrinterColumn(name="Clusters", description="Those that it names.", cell=_names("clusterNames")),
    PrinterColumn(
        name="Namespaces", description="Those that see no others.", cell=_names("namespaces")
    ),
    AGE,
)
POLICY_COLUMNS = (
    PrinterColumn(
        name="Selected", type="integer", description="Objects it selects now.", cell=_selected
    ),
    PrinterColumn(name="Replicas", description="Duplicated or Divided.", cell=_replication),
    PrinterColumn(name="Priority", type="integer", cell=_priority),
    AGE,
)
OVERRIDE_COLUMNS = (
    PrinterColumn(name="Rules", type="integer", cell=_rules),
    PrinterColumn(name="Applied", cell=condition_cell(OVERRIDES_APPLIED)),
    PrinterColumn(name="Message", wide=True, cell=message_cell(OVERRIDES_APPLIED)),
    AGE,
)
INTERPRETER_COLUMNS = (
    PrinterColumn(name="API", json_path=".spec.target.apiVersion"),
    PrinterColumn(name="Kind", json_path=".spec.target.kind"),
    PrinterColumn(
        name="Speaking", description="Whether it is heard.", cell=condition_cell(SPEAKING)
    ),
    PrinterColumn(name="Operations", description="What it says.", cell=_operations),
    PrinterColumn(name="Message", wide=True, cell=message_cell(SPEAKING)),
    AGE,
)
BINDING_COLUMNS = (
    PrinterColumn(name="Kind", json_path=".spec.resource.kind"),
    PrinterColumn(name="Replicas", type="integer", json_path=".spec.replicas"),
    PrinterColumn(name="Scheduled", cell=condition_cell(SCHEDULED)),
    PrinterColumn(name="Applied", cell=condition_cell(FULLY_APPLIED)),
    PrinterColumn(name="Healthy", cell=condition_cell(HEALTHY)),
    PrinterColumn(name="Clusters", description="The decision.", cell=_placed),
    PrinterColumn(name="Leaving", description="Clusters being evicted.", wide=True, cell=_leaving),
    PrinterColumn(name="Policy", wide=True, cell=_policy),
    PrinterColumn(name="Message", wide=True, cell=_binding_message),
    AGE,
)
WORK_COLUMNS = (
    PrinterColumn(name="Cluster", json_path=".spec.cluster"),
    PrinterColumn(name="Kind", json_path=".spec.resource.kind"),
    PrinterColumn(name="Object", json_path=".spec.resource.name", wide=True),
    PrinterColumn(name="Applied", cell=condition_cell(APPLIED)),
    PrinterColumn(name="Health", cell=_health),
    PrinterColumn(name="Message", cell=message_cell(APPLIED)),
    AGE,
)
