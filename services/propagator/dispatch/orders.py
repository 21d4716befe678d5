"""Rendering a binding: cluster -> order, one rendering for all clusters that hold the same."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from services.propagator.core.fencing import (
    is_fenced,
    marching_orders,
    share_at_rest,
    stopped,
)
from services.propagator.core.overrides import (
    OverrideFailure,
    PolicyRules,
    closeness,
    order_policies,
    overrides_for,
    rules_of,
    variant,
)
from services.propagator.core.render import mark_fenced
from services.propagator.core.rendering import render_for
from services.propagator.core.works import make_order
from shared.api.binding import BindingSpec, ResourceBinding, Share
from shared.api.cluster import Cluster
from shared.api.cluster_group import ClusterGroup
from shared.api.matching import Groups, Match
from shared.api.meta import GROUP, read
from shared.api.override import OverridePolicy
from shared.api.selection import ClusterAffinity
from shared.api.suspension import Suspension
from shared.apimachinery.manifest import GroupResource, Manifest, ObjectKey
from shared.errors import InvalidObject
from shared.events.orders import Encoded
from shared.interpreter.interpreter import Interpreter
from shared.store.port import Mirror, Scope, Stored

CLUSTERS = GroupResource(GROUP, "clusters")
CLUSTER_GROUPS = GroupResource(GROUP, "clustergroups")
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
        self._policies: dict[ObjectKey, tuple[int, PolicyRules | None]] = {}
        self._clusters: dict[ObjectKey, tuple[int, Cluster | None]] = {}
        self._groups: dict[ObjectKey, tuple[int, ClusterAffinity | None]] = {}

    def cluster(self, name: str) -> Cluster | None:
        stored = self._mirror.get(ObjectKey(GROUP, "clusters", "", name))
        if stored is None:
            return None
        known = self._clusters.get(stored.key)
        if known is None or known[0] != stored.revision:
            known = (stored.revision, _read_cluster(stored))
            self._clusters[stored.key] = known
        return known[1]

    @property
    def groups(self) -> Groups:
        """The ClusterGroups by name: who is in them."""
        found: dict[str, ClusterAffinity] = {}
        for stored in self._mirror.items(Scope.of(CLUSTER_GROUPS)):
            known = self._groups.get(stored.key)
            if known is None or known[0] != stored.revision:
                known = (stored.revision, _read_group(stored))
                self._groups[stored.key] = known
            if known[1] is not None:
                found[stored.key.name] = known[1]
        return found

    def fleet(self) -> set[str]:
        return {stored.key.name for stored in self._mirror.items(Scope.of(CLUSTERS))}

    def policies(
        self, template: Manifest, instead: Mapping[ObjectKey, PolicyRules] = MappingProxyType({})
    ) -> list[PolicyRules]:
        """The override policies that select *template*, in the order they apply.

        Those in *instead* stand in for what is stored under the same key, or beside it.
        """
        policies = [
            self.policy(stored)
            for resource in POLICY_RESOURCES
            for stored in self._mirror.items(Scope.of(GroupResource(GROUP, resource)))
            if stored.key not in instead
        ]
        found = []
        for policy in (*policies, *instead.values()):
            match = _closeness(policy, template) if policy is not None else None
            if policy is not None and match is not None:
                found.append((policy, match))
        return order_policies(found)

    def policy(self, stored: Stored) -> PolicyRules | None:
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
    policies, groups = parsed.policies(template), parsed.groups
    made: dict[tuple[object, ...], Encoded | OverrideFailure] = {}
    march = marching_orders(binding.spec)
    for name, share in shares_of(binding.spec).items():
        cluster = parsed.cluster(name)
        if cluster is None:
            orders.unseen.add(name)
            continue
        overrides = overrides_for(policies, cluster, groups) if policies else ()
        variety = (share, *variant(overrides, cluster)) if overrides else (share,)
        if variety not in made:
            manifest = render_for(
                cluster,
                template,
                interpreter,
                share,
                overrides=overrides,
                uid=binding.spec.resource.uid,
            )
            made[variety] = make_variant(key, template, manifest, binding.spec, share)
        found = made[variety]
        if isinstance(found, OverrideFailure):
            orders.failures[name] = found
        else:
            orders.by_cluster[name] = march(name, found)
    return orders


def held_back(orders: Orders, suspension: Suspension) -> Orders:
    """Leave out the clusters that nothing is sent to: what they have, they keep."""
    names = suspension.dispatching_on_clusters.cluster_names
    if not names:
        return orders
    left = {name: one for name, one in orders.by_cluster.items() if name not in names}
    return Orders(left, orders.failures, orders.unseen.union(names))


def shares_of(spec: BindingSpec) -> Mapping[str, Share]:
    """Cluster -> its share. A share being evicted stays until the scheduler drops it."""
    fencing = is_fenced(spec)
    shares = {
        eviction.cluster: share_at_rest(eviction) if fencing else eviction.share
        for eviction in spec.evictions
    }
    shares.update({target.name: target.share for target in spec.clusters})
    return shares


def make_variant(
    key: ObjectKey,
    template: Manifest,
    manifest: Manifest | OverrideFailure,
    spec: BindingSpec,
    share: Share,
) -> Encoded | OverrideFailure:
    """The order for every cluster that is to hold *manifest*."""
    if isinstance(manifest, OverrideFailure):
        return manifest
    if is_fenced(spec):
        # Whatever an override made of the replicas.
        manifest = mark_fenced(stopped(manifest) if share.replicas == 0 else manifest)
    return make_order(
        key,
        manifest,
        spec,
        api_version=str(template.get("apiVersion") or spec.resource.api_version),
        kind=str(template.get("kind") or spec.resource.kind),
    )


def _closeness(policy: PolicyRules, template: Manifest) -> Match | None:
    try:
        return closeness(policy, template)
    except InvalidObject:
        # Admission refuses such a selector; one that slipped through selects nothing.
        return None


def _read_policy(stored: Stored) -> PolicyRules | None:
    try:
        return rules_of(stored.key, read(stored.manifest, OverridePolicy))
    except InvalidObject:
        return None


def _read_cluster(stored: Stored) -> Cluster | None:
    try:
        return read(stored.manifest, Cluster)
    except InvalidObject:
        return None


def _read_group(stored: Stored) -> ClusterAffinity | None:
    try:
        return read(stored.manifest, ClusterGroup).spec
    except InvalidObject:
        return None
