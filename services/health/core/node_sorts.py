"""Sorts of nodes: by the labels and taints that pods choose nodes by, as far as these are few.

A label that all nodes share parts nothing. Of the others those are told that part the nodes into
few sorts; one that is another on every node (its host name) is left out by name, so that whoever
asks for it knows that nothing is known of it. What no node has is in none of these.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.api.cluster import Taint
from shared.apimachinery.manifest import Manifest, labels_of
from shared.apimachinery.taints import NO_EXECUTE, NO_SCHEDULE
from shared.interpreter.health import section_of

SORTS_MAX = 12
NAMES_MAX = 64
EVERY_OTHER = "*"
_HOST_NAME = "kubernetes.io/hostname"
_FEW_NODES = 3


@dataclass(frozen=True, slots=True)
class Sort:
    labels: tuple[tuple[str, str], ...] = ()
    taints: tuple[Taint, ...] = ()

    @property
    def order(self) -> tuple[object, ...]:
        """Those that take any pod come first."""
        taints = tuple((one.key, one.value, one.effect) for one in self.taints)
        return len(taints), taints, self.labels


@dataclass(frozen=True, slots=True)
class Sorting:
    """`sorts` by the name of the node; `labels` that all of them share."""

    sorts: Mapping[str, Sort]
    labels: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()


def keeps_away(node: Manifest) -> tuple[Taint, ...]:
    """Return the taints that keep a pod away which does not tolerate them; in order."""
    found = set()
    for stated in section_of(node, "spec").get("taints") or ():
        effect, key, value = (stated.get(name) for name in ("effect", "key", "value"))
        if effect in (NO_SCHEDULE, NO_EXECUTE) and isinstance(key, str):
            found.add(Taint(key=key, value=str(value or ""), effect=effect))
    return tuple(sorted(found, key=lambda one: (one.key, one.value, one.effect)))


def sort_nodes(nodes: Mapping[str, Manifest]) -> Sorting:
    """Part *nodes* into few sorts. Those whose taints are too much of their own have none."""
    taints = {name: keeps_away(node) for name, node in nodes.items()}
    usual = {one for one, _ in Counter(taints.values()).most_common(SORTS_MAX - 1)} | {()}
    labels = {name: labels_of(node) for name, node in nodes.items() if taints[name] in usual}
    keys = sorted({key for each in labels.values() for key in each})
    values = {key: {name: each.get(key) for name, each in labels.items()} for key in keys}
    shared = {
        key: str(next(iter(each.values())))
        for key, each in values.items()
        if len(set(each.values())) == 1
    }
    parting = sorted(
        (key for key in keys if key not in shared),
        key=lambda key: (len({*values[key].values()}), key),
    )
    told: list[str] = []
    left_out: list[str] = []
    parts: dict[str, tuple[object, ...]] = {name: (taints[name],) for name in labels}
    for key in parting:
        finer = {name: (*part, values[key][name]) for name, part in parts.items()}
        if not _names_nodes(key, values[key]) and len(set(finer.values())) <= SORTS_MAX:
            parts = finer
            told.append(key)
        else:
            left_out.append(key)
    if len(shared) > NAMES_MAX or len(left_out) > NAMES_MAX:
        shared = dict(sorted(shared.items())[:NAMES_MAX])
        left_out = [EVERY_OTHER]
    sorts = {
        name: Sort(
            tuple((key, str(each[key])) for key in sorted(told) if key in each), taints[name]
        )
        for name, each in labels.items()
    }
    return Sorting(sorts, shared, tuple(left_out))


def _names_nodes(key: str, values: Mapping[str, str | None]) -> bool:
    """Whether a label is another on every node, and so would part all of them."""
    distinct = {value for value in values.values() if value is not None}
    return key == _HOST_NAME or len(distinct) == len(values) > _FEW_NODES
