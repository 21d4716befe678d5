"""Overrides that could not be applied, as dispatch says on a binding."""

from collections.abc import Mapping

from shared.api.binding import FailedOverride, ResourceBinding

REASON = "OverrideFailed"


def failed_overrides(binding: ResourceBinding) -> Mapping[str, str]:
    """Cluster -> why what is asked of it now could not be made, in words."""
    return {each.cluster: _told(each) for each in binding.status.override_failures}


def _told(failed: FailedOverride) -> str:
    policy = failed.policy
    name = f"{policy.namespace}/{policy.name}" if policy.namespace else policy.name
    return f"{REASON}: {policy.kind} {name}: {failed.message}; it keeps what it has"
