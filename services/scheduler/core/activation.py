"""Lazy activation: a policy that changes waits for each of its templates to change too.

A binding remembers the rules that it was decided by; until its template changes these go on
speaking, whatever else happens to the fleet. What is not placed by a policy yet does not wait.
With `rescheduleWhen.policyContentChanged: false` only the placement waits.
"""

from typing import Any

import msgspec

from services.scheduler.core.policies import reference_to
from shared.api.binding import BindingSpec
from shared.api.policy import PropagationPolicy, PropagationSpec
from shared.apimachinery.manifest import Manifest, generation_of, uid_of

_REMEMBERED = frozenset(PropagationSpec.__struct_fields__) & frozenset(
    BindingSpec.__struct_fields__
)


def active_policy(
    policy: PropagationPolicy, binding: BindingSpec | None, template: Manifest
) -> PropagationPolicy:
    """Return *policy*, or the rules that *binding* remembers while *policy* waits."""
    if not policy.spec.reschedule_policy.reschedule_when.policy_content_changed:
        policy = _with_placement(policy, binding, template)
    if policy.spec.activation_preference != "Lazy" or binding is None or not binding.policy.name:
        return policy
    resource = binding.resource
    changed = (uid_of(template), generation_of(template)) != (resource.uid, resource.generation)
    if changed or binding.policy == reference_to(policy):
        return policy
    remembered: dict[str, Any] = {name: getattr(binding, name) for name in _REMEMBERED}
    before = binding.policy
    return msgspec.structs.replace(
        policy,
        kind=before.kind,
        metadata=msgspec.structs.replace(
            policy.metadata,
            namespace=before.namespace,
            name=before.name,
            generation=before.generation,
        ),
        spec=msgspec.structs.replace(policy.spec, **remembered),
    )


def _with_placement(
    policy: PropagationPolicy, binding: BindingSpec | None, template: Manifest
) -> PropagationPolicy:
    """Keep the placement by which the same policy has placed it, until it changes itself."""
    if binding is None or binding.placement == policy.spec.placement:
        return policy
    resource, before, metadata = binding.resource, binding.policy, policy.metadata
    same = (before.namespace, before.name) == (metadata.namespace, metadata.name)
    known = (resource.uid, resource.generation) == (uid_of(template), generation_of(template))
    if not (same and known):
        return policy
    spec = msgspec.structs.replace(policy.spec, placement=binding.placement)
    return msgspec.structs.replace(policy, spec=spec)
