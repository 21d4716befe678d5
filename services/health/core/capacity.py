"""What room a member has: sums over its usable nodes, and how the free part lies.

Open is a node that is ready and not cordoned; usable one that carries no taint that keeps ordinary
pods away, too. Free is what a node offers less what the pods bound to it ask for, whether they run
or are still starting. Open nodes are reported in classes: so many of a sort have at least this much
free. Rounding is always downwards, so a promise of room can be kept.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from services.health.core.node_sorts import Sort, keeps_away, sort_nodes
from services.health.core.quotas import quota_rooms
from services.health.core.stranded import unschedulable_pods
from shared.api.cluster import Capacity, NodeClass
from shared.apimachinery.manifest import Manifest, name_of
from shared.apimachinery.quantity import (
    QuantityForm,
    add_quantities,
    form_of,
    format_quantity,
    parse_quantity,
    subtract_quantities,
    sum_resources,
)
from shared.errors import InvalidObject
from shared.interpreter.demand import pod_requests
from shared.interpreter.health import conditions_of, is_true, section_of

CLASSES_MAX = 64
_PODS = "pods"
_ZERO = Decimal(0)
# Into how many steps the largest node is divided, tried from fine to coarse.
_STEPS = (64, 32, 16, 8)

_Amounts = dict[str, Decimal]
_Free = tuple[tuple[str, Decimal], ...]


def capacity_of(
    nodes: Sequence[Manifest],
    pods: Sequence[Manifest],
    quotas: Iterable[Manifest] = (),
    *,
    classes_max: int = CLASSES_MAX,
) -> Capacity:
    """Reckon the room of a member from all its nodes, pods and quotas; unreadable is nothing."""
    open_nodes = {name_of(node): node for node in nodes if is_open(node)}
    usable = {name: node for name, node in open_nodes.items() if is_usable(node)}
    asked: dict[str, list[dict[str, str]]] = {name: [] for name in open_nodes}
    for pod in pods:
        place = section_of(pod, "spec").get("nodeName")
        if place in asked and not _is_over(pod):
            asked[place].append(_requests_of(pod))
    offered = {name: _readable(_allocatable(node)) for name, node in open_nodes.items()}
    forms = _forms(offered.values())
    sorting = sort_nodes(open_nodes)
    free: dict[Sort, list[_Amounts]] = {}
    for name, sort in sorting.sorts.items():
        free.setdefault(sort, []).append(_free(offered[name], asked[name]))
    return Capacity(
        nodes_total=len(nodes),
        nodes_ready=sum(_is_ready(node) for node in nodes),
        allocatable=_sorted(sum_resources(offered[name] for name in usable)),
        allocated=_sorted(sum_resources(each for name in usable for each in asked[name])),
        node_classes=tuple(
            NodeClass(
                count=count,
                free={name: format_quantity(amount, forms[name]) for name, amount in kind},
                labels=dict(sort.labels),
                taints=sort.taints,
            )
            for sort, some in sorted(free.items(), key=lambda item: item[0].order)
            for kind, count in _classes(some, max(1, classes_max * len(some) // len(open_nodes)))
        ),
        labels=dict(sorting.labels),
        labels_left_out=sorting.left_out,
        quotas=quota_rooms(quotas),
        unschedulable=unschedulable_pods(pods),
    )


def is_open(node: Manifest) -> bool:
    """Tell whether any pod could be bound to *node*."""
    return _is_ready(node) and not section_of(node, "spec").get("unschedulable")


def is_usable(node: Manifest) -> bool:
    """Tell whether an ordinary pod, which tolerates nothing, could be bound to *node*."""
    return is_open(node) and not keeps_away(node)


def _is_ready(node: Manifest) -> bool:
    return is_true(conditions_of(section_of(node, "status")), "Ready")


def _is_over(pod: Manifest) -> bool:
    return section_of(pod, "status").get("phase") in ("Succeeded", "Failed")


def _allocatable(node: Manifest) -> Mapping[str, Any]:
    return section_of(section_of(node, "status"), "allocatable")


def _requests_of(pod: Manifest) -> dict[str, str]:
    try:
        return pod_requests(section_of(pod, "spec")) | {_PODS: "1"}
    except InvalidObject:
        # A member's API server has validated it; whatever this is, it takes a place.
        return {_PODS: "1"}


def _readable(resources: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    for name, value in resources.items():
        try:
            parse_quantity(str(value))
        except ValueError:
            continue
        found[name] = str(value)
    return found


def _forms(offered: Iterable[Mapping[str, str]]) -> dict[str, QuantityForm]:
    found: dict[str, QuantityForm] = {}
    for resources in offered:
        for name, value in resources.items():
            found.setdefault(name, form_of(value))
    return found


def _free(offered: Mapping[str, str], asked: Sequence[Mapping[str, str]]) -> _Amounts:
    found = {}
    for name, value in offered.items():
        used = add_quantities(parse_quantity(each[name]) for each in asked if name in each)
        found[name] = max(subtract_quantities(parse_quantity(value), used), _ZERO)
    return found


def _classes(free: Sequence[_Amounts], classes_max: int) -> list[tuple[_Free, int]]:
    """Group nodes with equal room; where there are too many groups, round down until not."""
    largest: _Amounts = {}
    for node in free:
        for name, amount in node.items():
            largest[name] = max(largest.get(name, _ZERO), amount)
    for steps in (0, *_STEPS):
        rounded = [_round_down(node, largest, steps) for node in free]
        counted = Counter(tuple(sorted(node.items())) for node in rounded)
        if len(counted) <= classes_max:
            return _largest_first(counted)
    return _largest_first(_merged(free, classes_max))


def _round_down(node: _Amounts, largest: _Amounts, steps: int) -> _Amounts:
    if not steps:
        return node
    found = {}
    for name, amount in node.items():
        step = max(largest[name] // steps, Decimal(1) if largest[name] >= steps else _ZERO)
        found[name] = amount // step * step if step else amount
    return found


def _merged(free: Sequence[_Amounts], classes_max: int) -> Counter[_Free]:
    """Put neighbours by size together; each group promises what its poorest member has."""
    ordered = sorted(free, key=lambda node: sorted(node.items()), reverse=True)
    size = -(-len(ordered) // classes_max)
    found: Counter[_Free] = Counter()
    for start in range(0, len(ordered), size):
        group = ordered[start : start + size]
        names = set.intersection(*(set(node) for node in group))
        least = tuple(sorted((name, min(node[name] for node in group)) for name in names))
        found[least] += len(group)
    return found


def _largest_first(counted: Counter[_Free]) -> list[tuple[_Free, int]]:
    return sorted(counted.items(), key=lambda item: item[0], reverse=True)


def _sorted(resources: Mapping[str, str]) -> dict[str, str]:
    return dict(sorted(resources.items()))
