"""Lazy activation: a policy that changes waits for each of its templates to change too.

A binding remembers the rules that it was decided by; until its template changes these go on
speaking, whatever else happens to the fleet, and whatever becomes of the policy. What is not placed
yet, and was there before the policy said so, waits for its change as well.
With `rescheduleWhen.policyContentChanged: false` only the placement waits.
"""

from typing import Any

import msgspec

from services.scheduler.core.policies import reference_to
from shared.api.binding import BindingSpec
from shared.api.meta import ObjectMeta
from shared.api.policy import PropagationPolicy, PropagationSpec
from shared.apimachinery.managed_fields import last_written
from shared.apimachinery.manifest import Manifest, generation_of, uid_of

LAZY = "Lazy"

_REMEMBERED = frozenset(PropagationSpec.__struct_fields__) & frozenset(
    BindingSpec.__struct_fields__
)


def active_policy(
    policy: PropagationPolicy | None,
    binding: BindingSpec | None,
    template: Manifest,
    *,
    written: str,
) -> PropagationPolicy | None:
    """Return the rules that speak for *template* now; None where none do.

    *policy* is the one that selects it, last changed at *written* (RFC 3339). While that waits it
    is what *binding* remembers.
    """
    before = binding if binding is not None and binding.policy.name else None
    if policy is None:
        lazy = before is not None and before.activation_preference == LAZY
        return _remembered(before) if before and lazy and _is_known(before, template) else None
    if not policy.spec.reschedule_policy.reschedule_when.policy_content_changed:
        policy = _with_placement(policy, binding, template)
    if policy.spec.activation_preference != LAZY:
        return policy
    last = last_written(template)
    # To the second: what was written together takes effect.
    if before is None:
        return None if last and last < written else policy
    same = before.policy == reference_to(policy) and before.placement == policy.spec.placement
    if same or last > written or not _is_known(before, template):
        return policy
    return _remembered(before, policy.spec)


def _is_known(binding: BindingSpec, template: Manifest) -> bool:
    """Whether *binding* was decided for the template as it is."""
    resource = binding.resource
    return (resource.uid, resource.generation) == (uid_of(template), generation_of(template))


def _remembered(binding: BindingSpec, rest: PropagationSpec | None = None) -> PropagationPolicy:
    """The policy as *binding* has it; of what that does not keep, what *rest* says."""
    before = binding.policy
    kept: dict[str, Any] = {name: getattr(binding, name) for name in _REMEMBERED}
    return PropagationPolicy(
        kind=before.kind,
        metadata=ObjectMeta(
            namespace=before.namespace, name=before.name, generation=before.generation
        ),
        spec=msgspec.structs.replace(rest or PropagationSpec(resource_selectors=()), **kept),
    )


def _with_placement(
    policy: PropagationPolicy, binding: BindingSpec | None, template: Manifest
) -> PropagationPolicy:
    """Keep the placement by which the same policy has placed it, until it changes itself."""
    if binding is None or binding.placement == policy.spec.placement:
        return policy
    before, metadata = binding.policy, policy.metadata
    same = (before.namespace, before.name) == (metadata.namespace, metadata.name)
    if not same or not _is_known(binding, template):
        return policy
    spec = msgspec.structs.replace(policy.spec, placement=binding.placement)
    return msgspec.structs.replace(policy, spec=spec)
