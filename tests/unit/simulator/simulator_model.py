"""A cluster of pure controllers without a process: plans are carried out on a `View` at once.

Pods become ready only when the test says so, and time stands still unless it is moved.
"""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from services.simulator.core import pods
from services.simulator.core.daemonsets import plan_daemon_set
from services.simulator.core.defaults import with_defaults
from services.simulator.core.deployments import plan_deployment
from services.simulator.core.jobs import plan_job, select_own_pods
from services.simulator.core.placement import place, read_host
from services.simulator.core.plan import (
    CLAIMS,
    DAEMON_SETS,
    DEPLOYMENTS,
    JOBS,
    NODES,
    PODS,
    REPLICA_SETS,
    REVISIONS,
    STATEFUL_SETS,
    Create,
    Delete,
    Plan,
    Replace,
    key_of,
)
from services.simulator.core.replicasets import plan_replica_set
from services.simulator.core.statefulsets import plan_stateful_set
from services.simulator.core.view import View
from shared.apimachinery.manifest import GroupResource, Manifest, name_of
from shared.clock import format_time

NAMESPACE = "shop"
ROUNDS_MAX = 500


class Model:
    """`check` is called after every single write."""

    def __init__(self, check: Callable[["Model"], None] | None = None) -> None:
        self.view = View()
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.check = check
        self.writes = 0

    def add(self, resource: GroupResource, manifest: Manifest) -> Manifest:
        made = with_defaults(resource, self._born(manifest))
        if resource == JOBS:
            made = select_own_pods(made)
        self.view.put(key_of(resource, made), made)
        return made

    def change_spec(self, resource: GroupResource, name: str, **parts: Any) -> None:
        found = self.get(resource, name)
        metadata = {**found["metadata"], "generation": found["metadata"]["generation"] + 1}
        changed = {**found, "metadata": metadata, "spec": {**found["spec"], **parts}}
        self.view.put(key_of(resource, found), changed)

    def get(self, resource: GroupResource, name: str) -> Manifest:
        found = self.view.find(resource, NAMESPACE, name)
        assert found is not None, f"{resource} {name} exists"
        return found

    def status(self, resource: GroupResource, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.get(resource, name).get("status") or {}
        return found

    def pods(self) -> list[Manifest]:
        return sorted(self.view.all(PODS, NAMESPACE), key=name_of)

    def ready(self, *names: str) -> None:
        """Let these pods become ready; all that are not, without names."""
        now = format_time(self.now)
        hosts = [read_host(node) for node in self.view.all(NODES)]
        for pod in self.pods():
            chosen = not names or name_of(pod) in names
            if not chosen or not pods.is_active(pod) or pods.is_ready(pod):
                continue
            # A cluster without nodes in the model has one that takes everything.
            node = place(pod["spec"], hosts, {}) if hosts else "n"
            assert isinstance(node, str), "the test's nodes have room"
            bound = pod if pods.node_of(pod) else pods.bound(pod, node, "172.16.0.1", now)
            self.view.put(key_of(PODS, pod), pods.running(bound, "10.0.0.1", now))

    def finish(self, *, failed: bool = False) -> None:
        """Let every pod that runs end."""
        for pod in self.pods():
            if pods.is_active(pod):
                ended = pods.finished(pod, format_time(self.now), failed=failed)
                self.view.put(key_of(PODS, pod), ended)

    def settle(self) -> None:
        """Run every controller until none has anything left to write."""
        for _ in range(ROUNDS_MAX):
            before = self.writes
            for resource, planner in self._planners().items():
                for found in sorted(self.view.all(resource, NAMESPACE), key=name_of):
                    self.carry_out(planner(found))
            if self.writes == before:
                return
        raise AssertionError("the controllers never come to rest")

    def run(self) -> None:
        """Settle, with every pod becoming ready as soon as it is there."""
        for _ in range(ROUNDS_MAX):
            self.settle()
            before = self.writes
            self.ready()
            self.settle()
            if self.writes == before:
                return
        raise AssertionError("the pods never come to rest")

    def pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def carry_out(self, plan: Plan) -> None:
        for write in plan.writes:
            self.writes += 1
            match write:
                case Create():
                    made = self._born(write.manifest)
                    key = key_of(write.resource, made)
                    assert self.view.get(key) is None, f"{key} is created once"
                    self.view.put(key, made)
                case Replace():
                    assert write.new != write.old, "a write says something new"
                    key = key_of(write.resource, write.old)
                    if self.view.get(key) is write.old:
                        self._put_or_drop(write.resource, write.new)
                case Delete():
                    self._delete(write.resource, write.manifest)
            if self.check is not None:
                self.check(self)

    def _born(self, manifest: Manifest) -> Manifest:
        metadata = dict(manifest["metadata"])
        metadata.setdefault("name", metadata.get("generateName", "") + uuid.uuid4().hex[:8])
        # Later objects are younger, so that order by age means something.
        created = format_time(self.now + timedelta(seconds=self.writes))
        metadata |= {"uid": str(uuid.uuid4()), "generation": 1, "creationTimestamp": created}
        return {**manifest, "metadata": metadata}

    def _put_or_drop(self, resource: GroupResource, new: Manifest) -> None:
        metadata = new["metadata"]
        if metadata.get("deletionTimestamp") and not metadata.get("finalizers"):
            self.view.remove(key_of(resource, new))
        else:
            self.view.put(key_of(resource, new), new)

    def _delete(self, resource: GroupResource, manifest: Manifest) -> None:
        metadata = {**manifest["metadata"], "deletionTimestamp": format_time(self.now)}
        self._put_or_drop(resource, {**manifest, "metadata": metadata})

    def _planners(self) -> dict[GroupResource, Callable[[Manifest], Plan]]:
        owned = self.view.owned_by
        return {
            DEPLOYMENTS: lambda one: plan_deployment(one, owned(one, REPLICA_SETS), self.now),
            REPLICA_SETS: lambda one: plan_replica_set(
                REPLICA_SETS, one, owned(one, PODS), self.now
            ),
            STATEFUL_SETS: lambda one: plan_stateful_set(
                one,
                owned(one, PODS),
                {name_of(claim) for claim in self.view.all(CLAIMS, NAMESPACE)},
                owned(one, REVISIONS),
                self.now,
            ),
            DAEMON_SETS: lambda one: plan_daemon_set(
                one,
                owned(one, PODS),
                owned(one, REVISIONS),
                [read_host(node) for node in self.view.all(NODES)],
                self.now,
            ),
            JOBS: lambda one: plan_job(one, owned(one, PODS), self.now),
        }


def workload(kind: str, name: str = "web", **spec: Any) -> Manifest:
    """Return a Deployment, StatefulSet or DaemonSet of one container."""
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": pod_template(name),
            **spec,
        },
    }


def pod_template(app: str = "web", image: str = "web:1") -> dict[str, Any]:
    return {
        "metadata": {"labels": {"app": app}},
        "spec": {"containers": [{"name": "main", "image": image}]},
    }


def job(**spec: Any) -> Manifest:
    template = pod_template("load")
    template["spec"]["restartPolicy"] = "Never"
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "load", "namespace": NAMESPACE},
        "spec": {"template": template, **spec},
    }


def condition_of(status: dict[str, Any], kind: str) -> dict[str, Any]:
    found: dict[str, Any] = next(
        (one for one in status.get("conditions", ()) if one["type"] == kind), {}
    )
    return found
