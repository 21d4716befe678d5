"""Telling on a binding in which clusters its overrides could not be applied."""

from collections.abc import Mapping

from services.propagator.core.overrides import OverrideFailure
from shared.api.binding import FailedOverride, PolicyReference, ResourceBinding
from shared.api.meta import section
from shared.apimachinery.manifest import ObjectKey
from shared.store.port import ObjectStore, Stored

_FIELD = "overrideFailures"


async def tell_failures(
    store: ObjectStore,
    stored: Stored,
    binding: ResourceBinding,
    failures: Mapping[str, OverrideFailure],
) -> None:
    """Write *failures*, by cluster, to the status of *binding*, as *stored*, where they are news.

    Raises `StaleRevision` where somebody wrote since.
    """
    told = tuple(_told(cluster, failure) for cluster, failure in sorted(failures.items()))
    if told == binding.status.override_failures:
        return
    status = {**(stored.manifest.get("status") or {}), _FIELD: section(told)}
    if not told:
        del status[_FIELD]
    await store.update(stored.key, {**stored.manifest, "status": status}, expected=stored.revision)


def _told(cluster: str, failure: OverrideFailure) -> FailedOverride:
    policy = _reference(failure.policy)
    return FailedOverride(cluster=cluster, policy=policy, message=failure.message)


def _reference(policy: ObjectKey) -> PolicyReference:
    kind = "OverridePolicy" if policy.namespace else "ClusterOverridePolicy"
    return PolicyReference(kind=kind, namespace=policy.namespace, name=policy.name)
