"""Which changes may change a decision: what need not be looked at is not woken."""

from collections.abc import Mapping
from typing import Any

import msgspec

from services.scheduler.core.claims import by_room
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.member import Member
from services.scheduler.core.policies import policy_key
from shared.api.binding import SCHEDULED, ResourceBinding
from shared.api.conditions import find_condition
from shared.api.placement import Placement
from shared.api.policy import PropagationPolicy
from shared.apimachinery.manifest import Manifest, ObjectKey, metadata_of

_encode = msgspec.json.Encoder().encode

# What a decision reads of a template beside its spec.
_METADATA = (
    "uid",
    "generation",
    "labels",
    "annotations",
    "ownerReferences",
    "deletionTimestamp",
    "finalizers",
)


def differ_in_room_only(before: Member, after: Member) -> bool:
    """Whether two states of a member differ in nothing but its free room."""
    return all(
        getattr(before, name) == getattr(after, name)
        for name in Member.__dataclass_fields__
        if name != "room"
    )


def waits_for_room(binding: ResourceBinding) -> bool:
    """Whether free room somewhere may help: it has no place, or not for all."""
    condition = find_condition(binding.status.conditions, SCHEDULED)
    return condition is None or condition.status != "True"


def takes_less(before: Member, after: Member) -> bool:
    """Whether a member is as it was, but that fewer things may go there."""
    same = ("labels", "place", "groups", "serves")
    if any(getattr(before, name) != getattr(after, name) for name in same):
        return False
    if _lasting(before.described) != _lasting(after.described):
        return False
    worse = (after.leaving, not after.ready, not after.joined, not after.readable)
    were = (before.leaving, not before.ready, not before.joined, not before.readable)
    if any(was and not now for was, now in zip(were, worse, strict=True)):
        return False
    return set(map(_encode, before.taints)) <= set(map(_encode, after.taints))


def _lasting(described: Mapping[str, Any]) -> Mapping[str, Any]:
    """Leave out what expressions see of taints and conditions, which are looked at apart."""
    found = {name: dict(part) for name, part in described.items()}
    found.get("spec", {}).pop("taints", None)
    found.get("status", {}).pop("conditions", None)
    return found


def may_draw(
    placement: Placement, name: str, before: Fleet, after: Fleet, *, waiting: bool = False
) -> bool:
    """Whether a change of member *name* may move what is not there and may go there.

    *before* and *after* are fleets of that member alone. *waiting*: it has no place for all of it.
    """
    affinities = placement.affinities or (None,)
    could = name in before.covered_by_any(affinities)
    can = name in after.covered_by_any(affinities)
    if could and can and not waiting and not _weighs_all(placement):
        was, is_now = before.members[name], after.members[name]
        return not takes_less(was, is_now)
    return could or can


def _weighs_all(placement: Placement) -> bool:
    """Whether a cluster that has no share may matter to the shares of others.

    It does where it is chosen before these are divided by a rule, and where groups are levelled.
    """
    constraints = placement.spread_constraints
    levelled = any(one.max_skew for one in constraints)
    return levelled or (bool(constraints) and not by_room(placement))


def speak_alike(before: PropagationPolicy, after: PropagationPolicy) -> bool:
    """Whether two states of a policy say the same (its status is no word of its own)."""
    return (
        before.spec == after.spec
        and before.metadata.generation == after.metadata.generation
        and before.metadata.deletion_timestamp == after.metadata.deletion_timestamp
    )


def policies_changed(
    before: ResourceBinding | None, after: ResourceBinding | None
) -> set[ObjectKey]:
    """Policies whose number of templates a change of a binding may change."""
    return _counted_for(before) ^ _counted_for(after)


def _counted_for(binding: ResourceBinding | None) -> set[ObjectKey]:
    if binding is None or binding.metadata.deletion_timestamp is not None:
        return set()
    return {policy_key(binding.spec.policy)}


def placed_elsewhere(before: ResourceBinding | None, after: ResourceBinding | None) -> bool:
    """Whether a change of a binding changes the clusters that it names."""
    old, new = (
        {one.name for one in each.spec.clusters} if each is not None else set()
        for each in (before, after)
    )
    return old != new


def needs_a_look(before: ResourceBinding | None, after: ResourceBinding | None) -> bool:
    """Whether a binding that another wrote may need another decision.

    Its going, its spec in other hands, or, while something moves, news from the members.
    """
    if before is None or after is None or before.spec != after.spec:
        return True
    if before.metadata.deletion_timestamp != after.metadata.deletion_timestamp:
        return True
    scheduled = find_condition(before.status.conditions, SCHEDULED)
    if scheduled != find_condition(after.status.conditions, SCHEDULED):
        return True
    if after.spec.failover.application is not None and _ailing(before) != _ailing(after):
        return True
    if after.spec.auto_migration is not None and _stranded(before) != _stranded(after):
        return True
    moving = bool(after.spec.evictions) or any(target.since for target in after.spec.clusters)
    return moving and before.status.aggregated_status != after.status.aggregated_status


def _ailing(binding: ResourceBinding) -> set[tuple[str, str]]:
    reports = binding.status.aggregated_status
    return {(one.cluster, one.unhealthy_since) for one in reports if one.unhealthy_since}


def _stranded(binding: ResourceBinding) -> set[tuple[str, int, str]]:
    reports = binding.status.aggregated_status
    return {
        (one.cluster, one.unschedulable, one.unschedulable_since)
        for one in reports
        if one.unschedulable
    }


def template_changed(before: Manifest, after: Manifest) -> bool:
    """Whether a template changed in anything that a decision reads."""
    old, new = metadata_of(before), metadata_of(after)
    if any(old.get(name) != new.get(name) for name in _METADATA):
        return True
    # Where every change of spec raises the generation, that has been said.
    return not new.get("generation") and before.get("spec") != after.get("spec")
