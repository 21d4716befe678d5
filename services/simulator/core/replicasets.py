"""ReplicaSets and ReplicationControllers: so many pods of one template.

The rules are those of `k8s.io/kubernetes/pkg/controller/replicaset`.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from services.simulator.core.fields import (
    entries,
    is_deleting,
    number,
    section,
    with_status,
    without_zeros,
)
from services.simulator.core.plan import (
    NOTHING,
    PODS,
    Create,
    Delete,
    Plan,
    Write,
    replace_if_changed,
)
from services.simulator.core.pods import (
    available_in,
    first_to_go,
    is_active,
    is_ready,
    make_pod,
    min_ready_seconds,
)
from services.simulator.core.status import condition, drop_condition, set_condition
from shared.apimachinery.manifest import (
    GroupResource,
    Manifest,
    generation_of,
    labels_of,
)
from shared.clock import format_time

# As many as a real controller asks for at once at most.
BURST = 500


def plan_replica_set(
    resource: GroupResource,
    owner: Manifest,
    pods: Sequence[Manifest],
    now: datetime,
    *,
    refusal: str = "",
) -> Plan:
    """Create or delete pods until there are enough, and report.

    *refusal* says why no pod could be created (a missing service account), "" if one could.
    """
    if is_deleting(owner):
        return NOTHING
    active = [pod for pod in pods if is_active(pod)]
    missing = number(section(owner, "spec"), "replicas", 1) - len(active)
    writes: list[Write] = []
    if missing > 0 and not refusal:
        template = section(owner, "spec", "template")
        writes.extend(Create(PODS, make_pod(owner, template)) for _ in range(min(missing, BURST)))
    elif missing < 0:
        writes.extend(Delete(PODS, pod) for pod in first_to_go(active)[:-missing])
    if writes:
        # The pods' own changes wake us again, and then there is something to report.
        return Plan(tuple(writes))
    return _report(resource, owner, active, now, refusal=refusal if missing > 0 else "")


def _report(
    resource: GroupResource,
    owner: Manifest,
    active: Sequence[Manifest],
    now: datetime,
    refusal: str,
) -> Plan:
    delay = min_ready_seconds(owner)
    until = [available_in(pod, delay, now) for pod in active]
    labels = labels_of(section(owner, "spec", "template")).items()  # type: ignore[arg-type]
    later = [left for left in until if left is not None and left > timedelta(0)]
    before = entries(section(owner, "status"), "conditions")
    conditions = drop_condition(before, "ReplicaFailure")
    if refusal:
        one = condition("ReplicaFailure", status=True, reason="FailedCreate", message=refusal,
                        now=format_time(now))  # fmt: skip
        conditions = set_condition(before, one)
    status = without_zeros(
        {
            "fullyLabeledReplicas": sum(labels <= labels_of(pod).items() for pod in active),
            "readyReplicas": sum(is_ready(pod) for pod in active),
            "availableReplicas": sum(left == timedelta(0) for left in until),
            "observedGeneration": generation_of(owner),
            "conditions": conditions,
        }
    )
    changed = with_status(owner, {"replicas": len(active), **status})
    return Plan(replace_if_changed(resource, owner, changed), min(later, default=None))
