"""What a binding that requires fencing makes of its orders: terms, and shares at rest.

What is on its way out of a member stays there without a replica, so that nothing is lost with it,
and the member is asked to say so. Everything else runs under the term of the member's lease.
"""

from collections.abc import Callable

from services.propagator.core.works import asking, fenced
from shared.api.binding import BindingSpec, Eviction, Share
from shared.apimachinery.manifest import (
    GroupVersionKind,
    Manifest,
    decode,
    encode,
    metadata_of,
)
from shared.events.orders import Encoded
from shared.interpreter.replicas import can_be_stopped

_GRACE_SECONDS = 30
"""Kubernetes' own default of `terminationGracePeriodSeconds`."""


def is_fenced(spec: BindingSpec) -> bool:
    """Whether members stop it on their own; what has no replicas to take away they cannot."""
    if spec.failover.fencing != "Required":
        return False
    kind = GroupVersionKind.parse(spec.resource.api_version, spec.resource.kind)
    return can_be_stopped(kind.group, kind.kind)


def share_at_rest(eviction: Eviction) -> Share:
    return Share(0, eviction.completions, eviction.ordinals_start)


def marching_orders(spec: BindingSpec) -> Callable[[str, Encoded], Encoded]:
    """How the order of a cluster differs from what all of its variety are told."""
    since = {target.name: target.since for target in spec.clusters if target.since}
    if not is_fenced(spec):
        return lambda cluster, order: asking(order, since.get(cluster, ""))
    terms = {target.name: target.fence for target in spec.clusters}
    for eviction in spec.evictions:
        since.setdefault(eviction.cluster, eviction.since)

    def march(cluster: str, order: Encoded) -> Encoded:
        return asking(fenced(order, terms.get(cluster, 0)), since.get(cluster, ""))

    return march


def stopped(manifest: Manifest) -> Manifest:
    """*manifest* without a replica; shares structure with it."""
    spec = manifest.get("spec")
    return {**manifest, "spec": {**(spec if isinstance(spec, dict) else {}), "replicas": 0}}


def of_version(body: bytes, resource_version: str) -> bytes:
    """*body*, to be applied only where the object is as it was at *resource_version*."""
    manifest = decode(body)
    metadata = {**metadata_of(manifest), "resourceVersion": resource_version}
    return encode({**manifest, "metadata": metadata})


def grace_seconds(manifest: Manifest) -> float:
    """How long its pods may take to end."""
    found: object = manifest
    for name in ("spec", "template", "spec", "terminationGracePeriodSeconds"):
        found = found.get(name) if isinstance(found, dict) else None
    return float(found) if isinstance(found, int) else _GRACE_SECONDS
