"""The groups that spread constraints speak of: which one a member is in."""

from services.scheduler.core.member import Member
from shared.api.placement import SpreadConstraint

_CLUSTER = "cluster"


def group_of(constraint: SpreadConstraint, member: Member) -> str:
    """Return the group of the constraint that *member* is in; "" where it names none."""
    if constraint.spread_by_label:
        return member.labels.get(constraint.spread_by_label, "")
    if constraint.spread_by_field in ("", _CLUSTER):
        return member.name
    return member.place.get(constraint.spread_by_field, "")


def what_it_spreads_by(constraint: SpreadConstraint) -> str:
    if constraint.spread_by_label:
        return f"label {constraint.spread_by_label}"
    return constraint.spread_by_field or _CLUSTER


def is_by_cluster(constraint: SpreadConstraint) -> bool:
    return not constraint.spread_by_label and constraint.spread_by_field in ("", _CLUSTER)
