"""Rendering a binding: cluster -> order, one rendering for all clusters that hold the same."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.propagator.core.overrides import (
    Override,
    OverrideFailure,
    apply_overrides,
    order_policies,
    overrides_for,
    selects,
)
from services.propagator.core.render import render, stamp
from services.propagator.core.works import Encoded, asking, make_order
from shared.api.binding import BindingSpec, ResourceBinding
from shared.api.cluster import Cluster
from shared.api.meta import GROUP, read
from shared.api.override import OverridePolicy
from shared.apimachinery.manifest import GroupResource, Manifest, ObjectKey
from shared.errors import InvalidObject
from shared.interpreter.interpreter import Interpreter
from shared.store.port import Mirror, Scope, Stored

CLUSTERS = GroupResource(GROUP, "clusters")
POLICY_RESOURCES = ("overridepolicies", "clusteroverridepolicies")


@dataclass(slots=True)
class Orders:
    """What a binding asks of each cluster, and the overrides that did not fit.

    Of clusters in `unseen` there is no readable Cluster here: what they have, they keep.
    """

    by_cluster: dict[str, Encoded] = field(default_factory=dict)
    failures: dict[str, OverrideFailure] = field(default_factory=dict)
    unseen: set[str] = field(default_factory=set)


class ParsedObjects:
    """Structs of stored objects, read once per revision; a malformed one is passed over."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self._policies: dict[ObjectKey, tuple[int, OverridePolicy | None]] = {}
        self._clusters: dict[ObjectKey, tuple[int, Cluster | None]] = {}

    def cluster(self, name: str) -> Cluster | None:
        stored = self._mirror.get(ObjectKey(GROUP, "clusters", "", name))
        if stored is None:
            return None
        known = self._clusters.get(stored.key)
        if known is None or known[0] != stored.revision:
            known = (stored.revision, _read_cluster(stored))
            self._clusters[stored.key] = known
        return known[1]

    def fleet(self) -> set[str]:
        return {stored.key.name for stored in self._mirror.items(Scope.of(CLUSTERS))}

    def policies(self, template: Manifest) -> list[tuple[ObjectKey, OverridePolicy]]:
        """The override policies that select *template*, in the order they apply."""
        found = []
        for resource in POLICY_RESOURCES:
            for stored in self._mirror.items(Scope.of(GroupResource(GROUP, resource))):
                policy = self.policy(stored)
                if policy is not None and _selects(stored.key, policy, template):
                    found.append((stored.key, policy))
        return order_policies(found)

    def policy(self, stored: Stored) -> OverridePolicy | None:
        known = self._policies.get(stored.key)
        if known is None or known[0] != stored.revision:
            known = (stored.revision, _read_policy(stored))
            self._policies[stored.key] = known
        return known[1]


def render_orders(
    key: ObjectKey,
    template: Manifest,
    binding: ResourceBinding,
    parsed: ParsedObjects,
    interpreter: Interpreter,
) -> Orders:
    """Render *template* for every cluster the binding names."""
    orders = Orders()
    policies = parsed.policies(template)
    made: dict[tuple[object, ...], Encoded | OverrideFailure] = {}
    since = {target.name: target.since for target in binding.spec.clusters if target.since}
    for name, replicas in shares_of(binding.spec).items():
        cluster = parsed.cluster(name)
        if cluster is None:
            orders.unseen.add(name)
            continue
        overrides = overrides_for(policies, cluster)
        variant = (replicas, *((one.policy, one.rule) for one in overrides))
        if variant not in made:
            rendered = render(template, interpreter, replicas)
            made[variant] = _make(key, template, rendered, binding.spec, overrides)
        found = made[variant]
        if isinstance(found, OverrideFailure):
            orders.failures[name] = found
        else:
            orders.by_cluster[name] = asking(found, since.get(name, ""))
    return orders


def shares_of(spec: BindingSpec) -> Mapping[str, int | None]:
    """Cluster -> replicas. A share being evicted stays until the scheduler drops it."""
    shares = {eviction.cluster: eviction.replicas for eviction in spec.evictions}
    shares.update({target.name: target.replicas for target in spec.clusters})
    return shares


def _make(
    key: ObjectKey,
    template: Manifest,
    rendered: Manifest,
    spec: BindingSpec,
    overrides: tuple[Override, ...],
) -> Encoded | OverrideFailure:
    changed = apply_overrides(rendered, overrides)
    if isinstance(changed, OverrideFailure):
        return changed
    return make_order(
        key,
        stamp(changed, spec.resource.uid),
        spec,
        api_version=str(template.get("apiVersion") or spec.resource.api_version),
        kind=str(template.get("kind") or spec.resource.kind),
    )


def _selects(key: ObjectKey, policy: OverridePolicy, template: Manifest) -> bool:
    try:
        return selects(key, policy, template)
    except InvalidObject:
        # Admission refuses such a selector; one that slipped through selects nothing.
        return False


def _read_policy(stored: Stored) -> OverridePolicy | None:
    try:
        return read(stored.manifest, OverridePolicy)
    except InvalidObject:
        return None


def _read_cluster(stored: Stored) -> Cluster | None:
    try:
        return read(stored.manifest, Cluster)
    except InvalidObject:
        return None
