"""Rules for PropagationPolicy and ClusterPropagationPolicy beyond their schema. Pure."""

from shared.api.policy import PropagationPolicy
from shared.apiserver.rules.failover import check_failover
from shared.apiserver.rules.ownership import check_drift, check_replica_ownership
from shared.apiserver.rules.placements import check_placement
from shared.apiserver.rules.rescheduling import (
    check_auto_migration,
    check_reschedule,
    check_schedule_priority,
)
from shared.apiserver.rules.rollouts import check_strategy
from shared.apiserver.rules.selection import check_resource_selectors, forbidden, required
from shared.errors import FieldError


def check_policy(policy: PropagationPolicy) -> list[FieldError]:
    spec = policy.spec
    faults: list[FieldError] = []
    if not spec.resource_selectors:
        faults.append(required("spec.resourceSelectors", "a policy must select something"))
    faults += check_resource_selectors(
        spec.resource_selectors, "spec.resourceSelectors", policy.metadata.namespace
    )
    faults += check_failover(spec.failover, "spec.failover")
    faults += check_placement(spec.placement, "spec.placement")
    faults += check_reschedule(
        spec.reschedule_policy, spec.placement, "spec.reschedulePolicy", "spec.placement"
    )
    faults += check_schedule_priority(spec.schedule_priority, "spec.schedulePriority")
    faults += check_auto_migration(spec.auto_migration, spec.placement, "spec.autoMigration")
    faults += check_replica_ownership(spec.replica_ownership, "spec.replicaOwnership")
    faults += check_drift(spec.drift, "spec.drift")
    faults += check_strategy(spec.rollout, "spec.rollout")
    if spec.suspension.dispatching and spec.suspension.dispatching_on_clusters.cluster_names:
        where = "spec.suspension.dispatchingOnClusters.clusterNames"
        faults.append(forbidden(where, "may not be given together with dispatching"))
    return faults
