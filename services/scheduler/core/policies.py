"""Which objects are templates, and which policy speaks for one.

A namespaced policy comes before a cluster-wide one; then the greater `priority`; then the closer
match (name, labels, kind, everything); then the first name in alphabetical order. So the answer
depends on what policies there are, never on which came first; but for those with `preemption:
Never`, which leave to others what these have placed.
"""

from collections.abc import Iterable
from typing import Any

from services.scheduler.core.affinity import compile_cel
from shared.api.binding import PolicyReference
from shared.api.matching import Match, compile_selector, match_resource
from shared.api.meta import GROUP
from shared.api.own_kinds import KEPT_BY, OWN_KINDS
from shared.api.placement import PlacementAffinity
from shared.api.policy import PropagationPolicy
from shared.apimachinery.manifest import (
    Manifest,
    ObjectKey,
    labels_of,
    metadata_of,
    namespace_of,
)

NAMESPACED = "propagationpolicies"
CLUSTER_WIDE = "clusterpropagationpolicies"

# What every cluster has by itself, and what its own machinery writes.
_OWN_NAMESPACES = ("default",)
# How the names of those begin that users put nothing into.
_SYSTEM_NAMESPACES = ("kube-", "hanse-system")
_NEVER = frozenset((group, resource) for (group, _), resource in OWN_KINDS.items())
_BY_NAME: frozenset[tuple[str, str, str]] = frozenset(
    {
        ("", "configmaps", "kube-root-ca.crt"),
        ("", "serviceaccounts", "default"),
        ("scheduling.k8s.io", "priorityclasses", "system-cluster-critical"),
        ("scheduling.k8s.io", "priorityclasses", "system-node-critical"),
    }
)
_TOKEN_SECRET = "kubernetes.io/service-account-token"
_NOT_A_USERS = ("kubernetes.io/bootstrapping", KEPT_BY)


def may_be_template(key: ObjectKey) -> bool:
    """Whether an object of this key can be propagated at all: cheap, from the key alone."""
    kind = (key.group, key.resource)
    if key.group == GROUP or kind in _NEVER or (*kind, key.name) in _BY_NAME:
        return False
    if key.namespace.startswith(_SYSTEM_NAMESPACES):
        return False
    if kind == ("", "namespaces"):
        own = key.name in _OWN_NAMESPACES or key.name.startswith(_SYSTEM_NAMESPACES)
        return not own
    return (*kind, key.namespace, key.name) != ("", "services", "default", "kubernetes")


def is_template(key: ObjectKey, manifest: Manifest) -> bool:
    """Whether the object is a user's own and not made by a controller or at bootstrap.

    The API server's own roles bear its label: `system:` in a name is no sign, add-ons use it too.
    """
    return (
        may_be_template(key)
        and labels_of(manifest).keys().isdisjoint(_NOT_A_USERS)
        # A token is good in the cluster that signed it only.
        and manifest.get("type") != _TOKEN_SECRET
        and not _is_controlled(metadata_of(manifest))
    )


def _is_controlled(metadata: dict[str, Any]) -> bool:
    owners = metadata.get("ownerReferences") or ()
    return any(isinstance(owner, dict) and owner.get("controller") is True for owner in owners)


def policy_key(reference: PolicyReference) -> ObjectKey:
    """Where the policy of a binding is stored."""
    resource = NAMESPACED if reference.namespace else CLUSTER_WIDE
    return ObjectKey(GROUP, resource, reference.namespace, reference.name)


def reference_to(policy: PropagationPolicy) -> PolicyReference:
    metadata = policy.metadata
    return PolicyReference(
        kind=policy.kind,
        namespace=metadata.namespace,
        name=metadata.name,
        generation=metadata.generation,
    )


def check_policy(policy: PropagationPolicy) -> None:
    """Raise `InvalidObject` where a selector anywhere in the policy is malformed."""
    placement = policy.spec.placement
    affinities: list[PlacementAffinity] = [*placement.affinities]
    affinities += [one.preference for one in placement.preferred_cluster_affinities]
    if placement.replica_scheduling is not None:
        affinities += [one.target_cluster for one in placement.replica_scheduling.replica_limits]
        preference = placement.replica_scheduling.weight_preference
        if preference is not None:
            affinities += [one.target_cluster for one in preference.static_weight_list]
    selectors = [one.label_selector for one in policy.spec.resource_selectors]
    for selector in (*selectors, *(one.label_selector for one in affinities)):
        if selector is not None:
            compile_selector(selector)
    for affinity in affinities:
        for text in affinity.cel_selector.cel_expressions if affinity.cel_selector else ():
            compile_cel(text)


def match_policy(policy: PropagationPolicy, manifest: Manifest) -> Match | None:
    """How closely *policy* speaks of the object; None when it does not.

    Raises `InvalidObject` for a malformed label selector.
    """
    own = policy.metadata.namespace
    if own and own != namespace_of(manifest):
        return None
    matches = [match_resource(one, manifest) for one in policy.spec.resource_selectors]
    return max((match for match in matches if match is not None), default=None)


def select_policy(
    manifest: Manifest,
    policies: Iterable[PropagationPolicy],
    holder: PolicyReference | None = None,
) -> PropagationPolicy | None:
    """Return the policy that speaks for the object; a policy being deleted speaks for none.

    *holder*: the one that has placed it, which policies that never preempt do not take it from.
    """
    there = list(policies)
    if any(one.spec.preemption == "Never" for one in there):
        there = _yielding(manifest, there, holder)
    best: tuple[tuple[int, int, int], PropagationPolicy] | None = None
    for policy in there:
        if policy.metadata.deletion_timestamp is not None:
            continue
        match = match_policy(policy, manifest)
        if match is None:
            continue
        rank = (1 if policy.metadata.namespace else 0, policy.spec.priority, int(match))
        if best is None or (rank, best[1].metadata.name) > (best[0], policy.metadata.name):
            best = (rank, policy)
    return best[1] if best is not None else None


def _yielding(
    manifest: Manifest, policies: Iterable[PropagationPolicy], holder: PolicyReference | None
) -> list[PropagationPolicy]:
    """Leave out those that never preempt, where another one holds the object and selects it."""
    there = list(policies)
    if holder is None or not holder.name:
        return there
    name = holder.namespace, holder.name
    held = [
        one
        for one in there
        if (one.metadata.namespace, one.metadata.name) == name
        and one.metadata.deletion_timestamp is None
        and match_policy(one, manifest) is not None
    ]
    if not held:
        return there
    return [one for one in there if one in held or one.spec.preemption != "Never"]
