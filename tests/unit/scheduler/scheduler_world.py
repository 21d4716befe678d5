"""Builders for the scheduler's tests, and its shell over a store in memory."""

import asyncio
from datetime import UTC, datetime, timedelta

import msgspec

from services.scheduler.cache.federation import Federation
from services.scheduler.core.policies import may_be_template
from services.scheduler.deciding.plugins import Plugins
from services.scheduler.reconcilers.announcements import Announcements
from services.scheduler.reconcilers.policies import PolicyReconciler
from services.scheduler.reconcilers.rebalances import Asked
from services.scheduler.reconcilers.templates import NO_RESTRAINT, TemplateReconciler
from services.scheduler.reconcilers.waking import template_keys
from shared.api.binding import ResourceBinding, binding_key
from shared.api.meta import API_VERSION, read
from shared.apimachinery.manifest import ObjectKey, copy
from shared.bus.memory import MemoryBus
from shared.controller.result import Again
from shared.errors import RetryableError
from shared.events.placement import decode_placement
from shared.interpreter.registry import BUILT_IN
from shared.store.memory import MemoryStore
from shared.store.port import StoreLimits
from tests.unit.scheduler.placement_worlds import GRACE

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def a_deployment(name="web", namespace="shop", *, replicas=3, cpu="", labels=None, generation=1):
    requests = {"cpu": cpu} if cpu else {}
    pod = {"containers": [{"name": "main", "image": "x", "resources": {"requests": requests}}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": f"uid-{name}",
            "generation": generation,
            "labels": labels or {},
        },
        "spec": {"replicas": replicas, "template": {"spec": pod}},
    }


def a_config_map(name="settings", namespace="shop"):
    metadata = {"name": name, "namespace": namespace, "uid": f"uid-{name}"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "b"}}


def a_cluster(name, *, ready=True, joined=True, taints=(), nodes=None, labels=None, **spec: object):
    conditions = [
        {"type": "Ready", "status": "True" if ready else "False", "reason": "x"},
        {"type": "Joined", "status": "True" if joined else "False", "reason": "x"},
    ]
    status = {"conditions": conditions, "taints": list(taints)}
    if nodes is not None:
        classes = [{"count": 1, "free": free} for free in nodes]
        status["capacity"] = {"nodeClasses": classes}
    return {
        "apiVersion": API_VERSION,
        "kind": "Cluster",
        "metadata": {"name": name, "labels": labels or {}},
        "spec": spec,
        "status": status,
    }


def a_policy(name="everywhere", namespace="shop", selectors=None, priority=0, **placement: object):
    return {
        "apiVersion": API_VERSION,
        "kind": "PropagationPolicy" if namespace else "ClusterPropagationPolicy",
        "metadata": {"name": name, "namespace": namespace, "generation": 1},
        "spec": {
            "resourceSelectors": selectors or [{"apiVersion": "*", "kind": "*"}],
            "placement": placement,
            "priority": priority,
        },
    }


def divided(weights=None, *, limits=(), dynamic=False):
    """`replicaScheduling` by weights (cluster -> weight), equal weights or free room."""
    preference = {}
    if weights:
        entries = [
            {"targetCluster": {"clusterNames": [name]}, "weight": weight}
            for name, weight in weights.items()
        ]
        preference["staticWeightList"] = entries
    if dynamic:
        preference["dynamicWeight"] = "AvailableReplicas"
    return {
        "replicaSchedulingType": "Divided",
        "weightPreference": preference,
        "replicaLimits": list(limits),
    }


def unreachable(since=START):
    return {
        "key": "cluster.hanse.dev/unreachable",
        "effect": "NoExecute",
        "timeAdded": since.isoformat(),
    }


_RESOURCES = {
    "Deployment": "deployments",
    "ConfigMap": "configmaps",
    "Cluster": "clusters",
    "ClusterGroup": "clustergroups",
    "PropagationPolicy": "propagationpolicies",
    "ClusterPropagationPolicy": "clusterpropagationpolicies",
    "CustomResourceDefinition": "customresourcedefinitions",
    "Namespace": "namespaces",
    "WorkloadRebalancer": "workloadrebalancers",
    "FederatedResourceQuota": "federatedresourcequotas",
    "PriorityClass": "priorityclasses",
    "Widget": "widgets",
    "Secret": "secrets",
    "PersistentVolumeClaim": "persistentvolumeclaims",
    "ServiceAccount": "serviceaccounts",
    "Service": "services",
    "Ingress": "ingresses",
}


def key_of(manifest):
    group, _, _ = manifest["apiVersion"].rpartition("/")
    metadata = manifest["metadata"]
    return ObjectKey(
        group, _RESOURCES[manifest["kind"]], metadata.get("namespace", ""), metadata["name"]
    )


def places_of(binding):
    spec = binding["spec"]
    return [
        *(one["name"] for one in spec.get("clusters", ())),
        *(one["cluster"] for one in spec.get("evictions", ())),
    ]


class FixedClock:
    def __init__(self) -> None:
        self.moment = START

    def now(self):
        return self.moment

    def monotonic(self):
        return self.moment.timestamp()

    async def sleep(self, seconds):
        self.moment += timedelta(seconds=seconds)


class Outbox:
    """A publisher that keeps what it is given."""

    def __init__(self) -> None:
        self.messages = []
        self.failing = False

    async def publish(self, message, *, expected=None):
        assert expected is None, "facts follow no others"
        if self.failing:
            raise RetryableError("nobody answers")
        self.messages.append(message)
        return len(self.messages)

    async def purge(self, stream, subject, *, up_to):
        raise NotImplementedError

    async def last(self, _stream, subject):
        found = [message for message in self.messages if message.subject == subject]
        return found[-1] if found else None

    @property
    def facts(self):
        return [decode_placement(message.body) for message in self.messages]


class SchedulerWorld:
    """The scheduler's shell, run key by key until nothing is left to do."""

    def __init__(self, store=None, interpreters=BUILT_IN, restraint=NO_RESTRAINT) -> None:
        self.store = store or MemoryStore(StoreLimits(unpacked_max=2))
        self.interpreters = interpreters
        self.restraint = restraint
        self.clock = FixedClock()
        self.outbox = Outbox()
        self.bus = MemoryBus()
        self.start()

    def start(self):
        """A new process over the same store."""
        self.woken, self.policies_woken, self.again = [], [], {}
        self.federation = Federation(
            self.store.mirror,
            interpreters=self.interpreters,
            clock=self.clock,
            wake_template=self.woken.append,
            wake_waiting=self.woken.append,
            wake_policy=self.policies_woken.append,
        )
        announcements = Announcements(self.outbox, self.clock)
        self.asked = Asked()
        self.templates = TemplateReconciler(
            self.store,
            self.federation,
            announcements,
            self.clock,
            GRACE,
            interpreters=self.interpreters,
            plugins=Plugins(self.bus, self.clock, timedelta(seconds=5), self.woken.append),
            restraint=self.restraint,
            asked=self.asked,
            wake=self.woken.append,
        )
        self.policies = PolicyReconciler(self.store, self.federation, self.clock)
        self.federation.follow()
        self.store.mirror.on_change(self._on_change)
        self.woken += [
            stored.key for stored in self.store.mirror.items() if may_be_template(stored.key)
        ]

    def _on_change(self, change) -> None:
        self.woken += template_keys(change)

    async def put(self, *manifests: dict):
        for manifest in manifests:
            key = key_of(manifest)
            found = await self.store.get(key)
            if found is None:
                await self.store.create(key, manifest)
            else:
                await self.store.update(key, manifest, expected=found.revision)

    async def remove(self, manifest):
        key = key_of(manifest)
        found = await self.store.get(key)
        await self.store.delete(key, found.manifest, expected=found.revision)

    async def settle(self):
        """Reconcile what was woken until nothing is; returns how many passes it took."""
        passes = 0
        while self.woken or self.policies_woken:
            passes += 1
            assert passes < 500, "the scheduler never comes to rest"
            if self.woken:
                key = self.woken.pop(0)
                result = await self.templates.reconcile(key)
                self.again.pop(key, None)
                if isinstance(result, Again):
                    self.again[key] = result.after
            else:
                await self.policies.reconcile(self.policies_woken.pop(0))
        return passes

    async def gather(self, *templates):
        """Have those that wait for one another worked out, and decided."""
        await self.settle()
        running = asyncio.create_task(self.templates.gathering.run())
        while any(self.binding(one) is None for one in templates):
            await asyncio.sleep(0)
            await self.settle()
        running.cancel()

    async def wait(self, seconds):
        """Let time pass, and wake those who asked to be."""
        self.clock.moment += timedelta(seconds=seconds)
        self.woken += list(self.again)
        await self.settle()

    def binding_key(self, template):
        group = template["apiVersion"].rpartition("/")[0]
        built_in = "." not in group or group.endswith(".k8s.io")
        return binding_key(key_of(template), template["kind"], built_in=built_in)

    def binding(self, template):
        """None where there is none, or one that only waits for its works to go."""
        stored = self.store.mirror.get(self.binding_key(template))
        if stored is None or stored.manifest["metadata"].get("deletionTimestamp"):
            return None
        return read(stored.manifest, ResourceBinding)

    def shares(self, template):
        return {one.name: one.replicas for one in self.binding(template).spec.clusters}

    def leaving(self, template):
        return {one.cluster: one.replicas for one in self.binding(template).spec.evictions}

    def condition(self, template):
        (found,) = [c for c in self.binding(template).status.conditions if c.type == "Scheduled"]
        return found

    async def report(self, template, **available: object):
        """Let health fold what members report: cluster=replicas available (or health for whole)."""
        key = self.binding_key(template)
        stored = await self.store.get(key)
        manifest = copy(stored.manifest)
        names = {name.replace("-", "_"): name for name in places_of(manifest)}
        reports = []
        for field, value in available.items():
            counted = isinstance(value, int)
            reports.append(
                {
                    "cluster": names.get(field, field),
                    "applied": True,
                    "health": "Healthy" if counted else value,
                    "observedTime": self.clock.now().isoformat(),
                    "status": {"availableReplicas": value} if counted else {},
                }
            )
        manifest["status"]["aggregatedStatus"] = reports
        await self.store.update(key, manifest, expected=stored.revision)
        await self.settle()

    def policy_status(self, policy):
        manifest = self.store.mirror.get(key_of(policy)).manifest
        return msgspec.to_builtins(manifest.get("status", {}))
