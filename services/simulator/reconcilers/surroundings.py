"""The controllers around workloads: endpoints, claims, budgets, autoscalers, ingresses, namespaces.

One loop; what many pods change at once (endpoints, budgets) is looked at a moment later, once.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from ipaddress import IPv4Network

from services.simulator.core.cluster import ROOT_CERTIFICATE, furnish_namespace
from services.simulator.core.fields import controller_of, entries, is_deleting, number, section
from services.simulator.core.plan import (
    AUTOSCALERS,
    BUDGETS,
    CLAIMS,
    CONFIG_MAPS,
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    ENDPOINTS,
    INGRESSES,
    NAMESPACES,
    NOTHING,
    PODS,
    REPLICA_SETS,
    SERVICE_ACCOUNTS,
    SERVICES,
    STATEFUL_SETS,
    VOLUMES,
    Delete,
    Plan,
    key_of,
)
from services.simulator.core.pods import is_ready
from services.simulator.core.policies import plan_autoscaler, plan_budget, plan_claim, plan_ingress
from services.simulator.core.services import pick, plan_service
from services.simulator.core.view import View
from services.simulator.reconcilers.writer import Writer
from shared.apimachinery.manifest import (
    GroupResource,
    Manifest,
    ObjectKey,
    labels_of,
    name_of,
    namespace_of,
    uid_of,
)
from shared.apimachinery.selectors import from_manifest
from shared.clock import Clock
from shared.controller.loop import Controller, LoopSettings
from shared.controller.result import Result
from shared.store.port import EVERYTHING, Change, ChangeType, Mirror

_GATHER = timedelta(milliseconds=100)
_FURNITURE = {(SERVICE_ACCOUNTS, "default"), (CONFIG_MAPS, ROOT_CERTIFICATE)}
_SCALED = {"Deployment": DEPLOYMENTS, "StatefulSet": STATEFUL_SETS, "ReplicaSet": REPLICA_SETS}


class Surroundings:
    """Implements `Reconciler` for everything beside workloads and pods."""

    def __init__(
        self,
        view: View,
        writer: Writer,
        clock: Clock,
        *,
        balancers: IPv4Network,
        ingress_address: str,
        certificate: str,
    ) -> None:
        """*certificate*: PEM of the authority that pods verify the API server by."""
        self._view = view
        self._writer = writer
        self._clock = clock
        self._balancers = balancers
        self._ingress_address = ingress_address
        self._certificate = certificate
        self._planners: Mapping[GroupResource, Callable[[ObjectKey, Manifest], Plan]] = {
            SERVICES: self._service,
            ENDPOINTS: self._endpoints,
            CLAIMS: lambda _key, found: plan_claim(found, self._volume_of(found)),
            VOLUMES: self._volume,
            BUDGETS: self._budget,
            AUTOSCALERS: self._autoscaler,
            INGRESSES: lambda _key, found: plan_ingress(found, self._ingress_address),
            NAMESPACES: self._namespace,
        }
        self.controller: Controller[ObjectKey] = Controller(
            "simulator-surroundings", self, LoopSettings(workers=2)
        )

    def start(self, mirror: Mirror) -> None:
        """Be woken by every change from now on."""
        self.controller.watch(mirror, EVERYTHING, self._keys)
        mirror.on_change(self._gather)

    def _keys(self, change: Change) -> Iterable[ObjectKey]:
        key, manifest = change.stored.key, change.stored.manifest
        if key.group_resource in self._planners:
            yield key
        if change.type is ChangeType.DELETED:
            if key.group_resource == SERVICES:
                yield ObjectKey(*ENDPOINTS, key.namespace, key.name)
            elif key.group_resource == CLAIMS:
                volume = section(manifest, "spec").get("volumeName")
                if volume:
                    yield ObjectKey(*VOLUMES, "", str(volume))
            elif (key.group_resource, key.name) in _FURNITURE:
                yield ObjectKey(*NAMESPACES, "", key.namespace)
        if key.group_resource in (DEPLOYMENTS, STATEFUL_SETS, REPLICA_SETS):
            for one in self._view.all(AUTOSCALERS, key.namespace):
                if section(one, "spec", "scaleTargetRef").get("name") == key.name:
                    yield key_of(AUTOSCALERS, one)

    def _gather(self, change: Change) -> None:
        """Look at what a pod's change may change, once for all pods of a moment."""
        key = change.stored.key
        if key.group_resource != PODS or not _matters(change):
            return
        for state in (change.stored, change.previous):
            if state is not None:
                for service in self._view.services_of(state.manifest):
                    self.controller.wake_after(service, _GATHER)
        for budget in self._view.all(BUDGETS, key.namespace):
            self.controller.wake_after(key_of(BUDGETS, budget), _GATHER)

    async def reconcile(self, key: ObjectKey) -> Result:
        found = self._view.get(key)
        plan = self._planners[key.group_resource](key, found) if found is not None else NOTHING
        await self._writer.give_way()
        return await self._writer.carry_out(plan)

    def _service(self, key: ObjectKey, found: Manifest) -> Plan:
        selector = section(found, "spec", "selector")
        pods = self._view.pods_with(key.namespace, selector) if selector else []
        return plan_service(
            found,
            pods,
            self._view.find(ENDPOINTS, key.namespace, key.name),
            self._view.owned_by(found, ENDPOINT_SLICES),
            self._balancer_address(found),
        )

    def _balancer_address(self, service: Manifest) -> str:
        """The address it has, or one that no other has."""
        given = entries(section(service, "status", "loadBalancer"), "ingress")
        if given:
            return str(given[0].get("ip"))
        taken = {0}
        for place in self._view.all(NAMESPACES):
            for other in self._view.all(SERVICES, name_of(place)):
                for one in entries(section(other, "status", "loadBalancer"), "ingress"):
                    taken.add(int(str(one.get("ip")).rpartition(".")[2]))
        try:
            return str(self._balancers[pick(uid_of(service), 255, taken)])
        except ValueError:
            return str(self._balancers[1])

    def _endpoints(self, key: ObjectKey, found: Manifest) -> Plan:
        """Endpoints that a controller wrote go with their Service."""
        ours = "endpoints.kubernetes.io/managed-by" in labels_of(found)
        service = self._view.find(SERVICES, key.namespace, key.name)
        if ours and service is None and not is_deleting(found):
            return Plan((Delete(ENDPOINTS, found),))
        return NOTHING

    def _volume_of(self, claim: Manifest) -> Manifest | None:
        name = section(claim, "spec").get("volumeName") or f"pvc-{uid_of(claim)}"
        return self._view.find(VOLUMES, "", str(name))

    def _volume(self, _key: ObjectKey, found: Manifest) -> Plan:
        """A disk goes with its claim."""
        reference = section(found, "spec", "claimRef")
        claim = self._view.find(CLAIMS, str(reference.get("namespace")), str(reference.get("name")))
        kept = section(found, "spec").get("persistentVolumeReclaimPolicy") != "Delete"
        if not reference or kept or is_deleting(found):
            return NOTHING
        if claim is not None and uid_of(claim) == reference.get("uid"):
            return NOTHING
        return Plan((Delete(VOLUMES, found),))

    def _budget(self, key: ObjectKey, found: Manifest) -> Plan:
        try:
            selector = from_manifest(section(found, "spec", "selector"))
        except ValueError:
            return NOTHING
        pods = [
            pod for pod in self._view.all(PODS, key.namespace) if selector.matches(labels_of(pod))
        ]
        owners = {str(controller_of(pod).get("uid")): pod for pod in pods}
        expected = sum(self._replicas_of(pod) for pod in owners.values())
        return plan_budget(found, pods, expected, self._clock.now())

    def _replicas_of(self, pod: Manifest) -> int:
        """How many pods the workload of *pod* asks for."""
        owner = controller_of(pod)
        resource = _SCALED.get(str(owner.get("kind")))
        found = (
            self._view.find(resource, namespace_of(pod), str(owner["name"])) if resource else None
        )
        return number(section(found, "spec"), "replicas", 1) if found is not None else 1

    def _autoscaler(self, key: ObjectKey, found: Manifest) -> Plan:
        reference = section(found, "spec", "scaleTargetRef")
        resource = _SCALED.get(str(reference.get("kind")))
        target = (
            self._view.find(resource, key.namespace, str(reference.get("name")))
            if resource is not None
            else None
        )
        return plan_autoscaler(found, target, self._clock.now())

    def _namespace(self, key: ObjectKey, found: Manifest) -> Plan:
        account = self._view.find(SERVICE_ACCOUNTS, key.name, "default")
        bundle = self._view.find(CONFIG_MAPS, key.name, ROOT_CERTIFICATE)
        return Plan(tuple(furnish_namespace(found, account, bundle, self._certificate)))


def _matters(change: Change) -> bool:
    """Whether endpoints or budgets could tell the pod before from the one after."""
    if change.type is not ChangeType.MODIFIED or change.previous is None:
        return True
    before, after = change.previous.manifest, change.stored.manifest
    return (
        is_ready(before) != is_ready(after)
        or section(before, "status").get("podIP") != section(after, "status").get("podIP")
        or section(before, "status").get("phase") != section(after, "status").get("phase")
        or is_deleting(before) != is_deleting(after)
        or labels_of(before) != labels_of(after)
    )
