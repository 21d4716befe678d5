"""Which node a pod goes to: those that may take it, of those the one with the most room.

The rules are the scheduler's filters for what simulated clusters have: readiness, cordons, node
selectors and affinity, taints, requests and the number of pods. Pod affinity, topology
spread and preemption are not simulated.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from services.simulator.core.fields import entries, number, section
from services.simulator.core.status import is_true
from shared.apimachinery.manifest import Manifest, labels_of, name_of
from shared.apimachinery.quantity import add_quantities, parse_quantity
from shared.apimachinery.taints import untolerated

_ZERO = Decimal(0)
Amounts = dict[str, Decimal]


@dataclass(frozen=True, slots=True)
class NodeTaint:
    """`corev1.Taint`."""

    key: str
    value: str
    effect: str
    time_added: str | None = None


_CORDON = NodeTaint("node.kubernetes.io/unschedulable", "", "NoSchedule")


@dataclass(frozen=True, slots=True)
class PodToleration:
    """`corev1.Toleration`."""

    key: str
    operator: str
    value: str
    effect: str
    toleration_seconds: int | None


def taints_of(node: Manifest) -> list[NodeTaint]:
    return [
        NodeTaint(
            str(one.get("key", "")),
            str(one.get("value", "")),
            str(one.get("effect", "")),
            one.get("timeAdded"),
        )
        for one in entries(section(node, "spec"), "taints")
    ]


def tolerations_of(pod_spec: Mapping[str, Any]) -> list[PodToleration]:
    return [
        PodToleration(
            str(one.get("key") or ""),
            str(one.get("operator") or "Equal"),
            str(one.get("value") or ""),
            str(one.get("effect") or ""),
            number(one, "tolerationSeconds") if "tolerationSeconds" in one else None,
        )
        for one in entries(pod_spec, "tolerations")
    ]


def requests_of(pod_spec: Mapping[str, Any]) -> Amounts:
    """Sum the containers; the largest init container counts where it needs more.

    What cannot be read as a quantity counts as nothing: validation has let it pass.
    """
    total: Amounts = {}
    for container in entries(pod_spec, "containers"):
        for name, amount in _requests(container).items():
            total[name] = add_quantities((total.get(name, _ZERO), amount))
    for container in entries(pod_spec, "initContainers"):
        for name, amount in _requests(container).items():
            total[name] = max(total.get(name, _ZERO), amount)
    total["pods"] = Decimal(1)
    return total


def _requests(container: Mapping[str, Any]) -> Amounts:
    resources = section(container, "resources")
    found: Amounts = {}
    # A limit without a request is one.
    for name, value in {**section(resources, "limits"), **section(resources, "requests")}.items():
        try:
            found[name] = parse_quantity(value)
        except (ValueError, TypeError):
            continue
    return found


@dataclass(slots=True)
class Room:
    """What of a node is given away; kept up to date as pods come and go."""

    used: Amounts = field(default_factory=dict)

    def take(self, requests: Mapping[str, Decimal]) -> None:
        for name, amount in requests.items():
            self.used[name] = self.used.get(name, _ZERO) + amount

    def give_back(self, requests: Mapping[str, Decimal]) -> None:
        for name, amount in requests.items():
            self.used[name] = self.used.get(name, _ZERO) - amount

    def shortage(
        self, allocatable: Mapping[str, Decimal], requests: Mapping[str, Decimal]
    ) -> list[str]:
        """Reasons why *requests* do not fit, as the scheduler words them."""
        reasons = []
        for name, amount in requests.items():
            if amount and self.used.get(name, _ZERO) + amount > allocatable.get(name, _ZERO):
                reasons.append("Too many pods" if name == "pods" else f"Insufficient {name}")
        return reasons


def is_node_ready(node: Manifest) -> bool:
    return is_true(entries(section(node, "status"), "conditions"), "Ready")


@dataclass(frozen=True, slots=True)
class Host:
    """What placement needs of a node, read once however many pods come."""

    name: str
    labels: Mapping[str, str]
    taints: tuple[NodeTaint, ...]
    unschedulable: bool
    allocatable: Mapping[str, Decimal]
    address: str


def read_host(node: Manifest) -> Host:
    addresses = entries(section(node, "status"), "addresses")
    return Host(
        name=name_of(node),
        labels=labels_of(node),
        taints=tuple(taints_of(node)),
        unschedulable=bool(section(node, "spec").get("unschedulable")),
        allocatable={
            name: parse_quantity(value)
            for name, value in section(node, "status", "allocatable").items()
        },
        address=next((str(one.get("address")) for one in addresses), ""),
    )


def refusal_of(host: Host, pod_spec: Mapping[str, Any]) -> str:
    """Why *host* may not take such a pod however much room it has; "" if it may."""
    if host.unschedulable or host.taints:
        tolerations = tolerations_of(pod_spec)
        if host.unschedulable and untolerated([_CORDON], tolerations, [_CORDON.effect]):
            return "node(s) were unschedulable"
        blocking = untolerated(host.taints, tolerations, ["NoSchedule", "NoExecute"])
        if blocking:
            return f"node(s) had untolerated taint {{{blocking[0].key}: {blocking[0].value}}}"
    wanted = section(pod_spec, "nodeSelector").items()
    affinity = section(
        pod_spec, "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"
    )
    terms = entries(affinity, "nodeSelectorTerms")
    if not wanted <= host.labels.items() or (
        terms and not any(_matches(term, host) for term in terms)
    ):
        return "node(s) didn't match Pod's node affinity/selector"
    return ""


def _matches(term: Mapping[str, Any], host: Host) -> bool:
    labels, fields = entries(term, "matchExpressions"), entries(term, "matchFields")
    if not labels and not fields:
        return False
    return all(_holds(one, host.labels) for one in labels) and all(
        _holds(one, {"metadata.name": host.name}) for one in fields
    )


def _holds(requirement: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    found = labels.get(str(requirement.get("key")))
    values = requirement.get("values") or []
    match requirement.get("operator"):
        case "In":
            return found in values
        case "NotIn":
            return found not in values
        case "Exists":
            return found is not None
        case "DoesNotExist":
            return found is None
        case "Gt":
            return _number(found) > _number(values[0] if values else None)
        case "Lt":
            return _number(found) < _number(values[0] if values else None)
        case _:
            return False


def _number(text: object) -> float:
    try:
        return int(str(text))
    except ValueError:
        # Not a number: no comparison holds.
        return float("nan")


@dataclass(frozen=True, slots=True)
class Unschedulable:
    """No node takes the pod; `message` is the scheduler's."""

    message: str


def place(
    pod_spec: Mapping[str, Any], hosts: Sequence[Host], rooms: Mapping[str, Room]
) -> str | Unschedulable:
    """Return the name of the node with the largest free share of cpu, memory and pods."""
    requests = requests_of(pod_spec)
    reasons: Counter[str] = Counter()
    best: tuple[Decimal, str] | None = None
    for host in hosts:
        room = rooms.get(host.name) or Room()
        refusal = refusal_of(host, pod_spec)
        why = [refusal] if refusal else room.shortage(host.allocatable, requests)
        if why:
            reasons.update(why)
            continue
        score = _free_share(room, host.allocatable, requests)
        if best is None or (-score, host.name) < best:
            best = (-score, host.name)
    if best is not None:
        return best[1]
    if not hosts:
        return Unschedulable("no nodes available to schedule pods")
    text = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
    return Unschedulable(
        f"0/{len(hosts)} nodes are available: {text}. preemption: 0/{len(hosts)} nodes are "
        f"available: {len(hosts)} Preemption is not helpful for scheduling."
    )


def _free_share(
    room: Room, allocatable: Mapping[str, Decimal], requests: Mapping[str, Decimal]
) -> Decimal:
    share = _ZERO
    for name in ("cpu", "memory", "pods"):
        whole = allocatable.get(name, _ZERO)
        if whole:
            used = room.used.get(name, _ZERO) + requests.get(name, _ZERO)
            share += (whole - used) / whole
    return share
