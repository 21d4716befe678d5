"""What a WorkloadRebalancer says of its workloads: who is still to be placed anew, who has been."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import msgspec

from shared.api.binding import ResourceBinding
from shared.api.rebalancer import (
    ObservedWorkload,
    WorkloadRebalancer,
    WorkloadRebalancerStatus,
    WorkloadReference,
)
from shared.apimachinery.manifest import GroupVersionKind
from shared.clock import format_time, parse_time, span_of

Find = Callable[[WorkloadReference], ResourceBinding | None]


def observe(
    rebalancer: WorkloadRebalancer, find: Find, now: datetime
) -> tuple[WorkloadRebalancerStatus, Sequence[ResourceBinding]]:
    """Return its status, and the bindings that are to be placed anew for it.

    A result stands once it is there. Who is named no longer is kept if it was Successful.
    """
    asked_at = rebalancer.metadata.creation_timestamp or ""
    before = {one.workload: one for one in rebalancer.status.observed_workloads}
    named = dict.fromkeys(rebalancer.spec.workloads)
    done = [one.workload for one in before.values() if one.result == "Successful"]
    found, waiting = [], []
    for workload in sorted({*named, *done}, key=_order):
        observed = before.get(workload, ObservedWorkload(workload=workload))
        if not observed.result:
            binding = find(workload)
            if binding is None:
                observed = msgspec.structs.replace(
                    observed, result="Failed", reason="ReferencedBindingNotFound"
                )
            elif is_heard(binding, asked_at):
                observed = msgspec.structs.replace(observed, result="Successful")
            else:
                waiting.append(binding)
        found.append(observed)
    finished = None if waiting else _finish(rebalancer.status, found, now)
    status = WorkloadRebalancerStatus(
        observed_workloads=tuple(found),
        observed_generation=rebalancer.metadata.generation,
        finish_time=finished,
    )
    return status, waiting


def is_heard(binding: ResourceBinding, asked_at: str) -> bool:
    """Whether it was placed anew since; what follows others has no placement of its own."""
    if not binding.spec.policy.name:
        return True
    return not is_later(asked_at, binding.spec.reschedule_triggered_at)


def is_later(asked_at: str, known: str) -> bool:
    """Whether one time (RFC 3339) is after another; "" is before all, and so is none."""
    try:
        return bool(asked_at) and (not known or parse_time(asked_at) > parse_time(known))
    except ValueError:
        return False


def names(workload: WorkloadReference, binding: ResourceBinding) -> bool:
    """Whether *workload* is the template of *binding*; of its version it is not asked."""
    gvk = GroupVersionKind.parse(workload.api_version, workload.kind)
    resource = binding.spec.resource
    own = GroupVersionKind.parse(resource.api_version, resource.kind)
    return (gvk.group, gvk.kind, workload.name, workload.namespace) == (
        own.group,
        own.kind,
        resource.name,
        resource.namespace,
    )


def time_to_live(rebalancer: WorkloadRebalancer, finished: str, now: datetime) -> timedelta | None:
    """How long it is kept yet; None: for ever."""
    seconds = rebalancer.spec.ttl_seconds_after_finished
    if seconds is None:
        return None
    return parse_time(finished) + span_of(seconds) - now


def _finish(
    before: WorkloadRebalancerStatus, found: Sequence[ObservedWorkload], now: datetime
) -> str:
    same = before.finish_time is not None and tuple(found) == before.observed_workloads
    return before.finish_time if same and before.finish_time else format_time(now)


def _order(workload: WorkloadReference) -> tuple[str, str, str, str]:
    return workload.api_version, workload.kind, workload.namespace, workload.name
