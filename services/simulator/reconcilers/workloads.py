"""The workload controllers: one loop over Deployments, ReplicaSets and all that make pods."""

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta

from services.simulator.core.daemonsets import plan_daemon_set
from services.simulator.core.deployments import plan_deployment
from services.simulator.core.fields import controller_of, section
from services.simulator.core.jobs import plan_job, release_pods
from services.simulator.core.needs import refused_account
from services.simulator.core.placement import read_host
from services.simulator.core.plan import (
    CLAIMS,
    DAEMON_SETS,
    DEPLOYMENTS,
    JOBS,
    NODES,
    NOTHING,
    PODS,
    REPLICA_SETS,
    REVISIONS,
    STATEFUL_SETS,
    Plan,
)
from services.simulator.core.replicasets import plan_replica_set
from services.simulator.core.statefulsets import plan_stateful_set
from services.simulator.core.view import View
from services.simulator.reconcilers.writer import Writer
from shared.apimachinery.manifest import (
    GroupResource,
    Manifest,
    ObjectKey,
    metadata_of,
    name_of,
    namespace_of,
)
from shared.clock import Clock
from shared.controller.loop import Controller, LoopSettings
from shared.controller.result import Done, Result
from shared.store.port import EVERYTHING, Change, ChangeType, Mirror

REPLICATION_CONTROLLERS = GroupResource("", "replicationcontrollers")
_RESOURCES = {
    ("apps", "Deployment"): DEPLOYMENTS,
    ("apps", "ReplicaSet"): REPLICA_SETS,
    ("apps", "StatefulSet"): STATEFUL_SETS,
    ("apps", "DaemonSet"): DAEMON_SETS,
    ("batch", "Job"): JOBS,
    ("", "ReplicationController"): REPLICATION_CONTROLLERS,
}
_OWN = frozenset(_RESOURCES.values())
# When a service account is missing there is nothing to wake us; look again.
_RETRY = timedelta(seconds=0.5)


class WorkloadReconciler:
    """Implements `Reconciler` by asking the pure planner of the key's kind."""

    def __init__(self, view: View, writer: Writer, clock: Clock) -> None:
        self._view = view
        self._writer = writer
        self._clock = clock
        self._planners: Mapping[GroupResource, Callable[[Manifest], Plan]] = {
            DEPLOYMENTS: self._deployment,
            REPLICA_SETS: self._replica_set,
            REPLICATION_CONTROLLERS: self._replica_set,
            STATEFUL_SETS: self._stateful_set,
            DAEMON_SETS: self._daemon_set,
            JOBS: self._job,
        }

    async def reconcile(self, key: ObjectKey) -> Result:
        found = self._view.get(key)
        if found is None:
            if key.group_resource == JOBS:
                return await self._writer.carry_out(release_pods(self._orphans(key)))
            return Done()
        await self._writer.give_way()
        return await self._writer.carry_out(self._planners[key.group_resource](found))

    def _orphans(self, job: ObjectKey) -> list[Manifest]:
        """Return the pods that a Job which is gone has left behind."""
        return [
            pod
            for pod in self._view.all(PODS, job.namespace)
            if (owner := controller_of(pod)) and (owner["kind"], owner["name"]) == ("Job", job.name)
        ]

    def _deployment(self, found: Manifest) -> Plan:
        owned = self._view.owned_by(found, REPLICA_SETS)
        return plan_deployment(found, owned, self._clock.now())

    def _replica_set(self, found: Manifest) -> Plan:
        resource = _RESOURCES[found["apiVersion"].rpartition("/")[0], found["kind"]]
        pods, refusal = self._view.owned_by(found, PODS), self._refusal(found)
        plan = plan_replica_set(resource, found, pods, self._clock.now(), refusal=refusal)
        return _again_if(plan, refusal)

    def _stateful_set(self, found: Manifest) -> Plan:
        refusal = self._refusal(found)
        claims = {name_of(one) for one in self._view.all(CLAIMS, namespace_of(found))}
        plan = plan_stateful_set(
            found,
            self._view.owned_by(found, PODS),
            claims,
            self._view.owned_by(found, REVISIONS),
            self._clock.now(),
            refusal=refusal,
        )
        return _again_if(plan, refusal)

    def _daemon_set(self, found: Manifest) -> Plan:
        refusal = self._refusal(found)
        plan = plan_daemon_set(
            found,
            self._view.owned_by(found, PODS),
            self._view.owned_by(found, REVISIONS),
            [read_host(node) for node in self._view.all(NODES)],
            self._clock.now(),
            refusal=refusal,
        )
        return _again_if(plan, refusal)

    def _job(self, found: Manifest) -> Plan:
        refusal = self._refusal(found)
        pods = self._view.owned_by(found, PODS)
        return _again_if(plan_job(found, pods, self._clock.now(), refusal=refusal), refusal)

    def _refusal(self, owner: Manifest) -> str:
        template = section(owner, "spec", "template")
        return refused_account(template, namespace_of(owner), self._view)


def _again_if(plan: Plan, refusal: str) -> Plan:
    if not refusal:
        return plan
    return Plan(plan.writes, min(plan.again or _RETRY, _RETRY)) if plan is not NOTHING else plan


def workload_controller(
    view: View, writer: Writer, clock: Clock, mirror: Mirror
) -> Controller[ObjectKey]:
    """Return the loop, woken by changes of workloads, of what they own, and of nodes."""
    controller: Controller[ObjectKey] = Controller(
        "simulator-workloads", WorkloadReconciler(view, writer, clock), LoopSettings(workers=2)
    )

    def keys(change: Change) -> Iterable[ObjectKey]:
        key = change.stored.key
        if key.group_resource in _OWN and not _only_reports(change):
            yield key
        owner = controller_of(change.stored.manifest)
        if owner:
            resource = _RESOURCES.get((owner["apiVersion"].rpartition("/")[0], owner["kind"]))
            if resource is not None:
                yield ObjectKey(*resource, key.namespace, owner["name"])
        if key.group_resource == NODES and not _only_reports(change):
            for one in mirror.items():
                if one.key.group_resource == DAEMON_SETS:
                    yield one.key

    controller.watch(mirror, EVERYTHING, keys)
    return controller


def _only_reports(change: Change) -> bool:
    """Whether nothing but the status changed: mostly our own report."""
    if change.type is not ChangeType.MODIFIED or change.previous is None:
        return False
    before, after = change.previous.manifest, change.stored.manifest
    old, new = metadata_of(before), metadata_of(after)
    return before.get("spec") == after.get("spec") and all(
        old.get(part) == new.get(part)
        for part in ("generation", "deletionTimestamp", "annotations", "ownerReferences")
    )
