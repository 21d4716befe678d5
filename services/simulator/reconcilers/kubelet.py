"""Scheduler and kubelets in one: pods are bound, start, become ready, end, and lose their nodes.

Times are rounded up to one tick, so that the pods of a moment change together and each of their
owners is woken once for all of them.
"""

import asyncio
import math
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Network

from services.simulator.core import pods
from services.simulator.core.fields import is_deleting, section
from services.simulator.core.needs import missing_need
from services.simulator.core.nodes import UNREACHABLE
from services.simulator.core.placement import (
    Amounts,
    Host,
    Room,
    Unschedulable,
    is_node_ready,
    place,
    read_host,
    requests_of,
    tolerations_of,
)
from services.simulator.core.plan import NODES, NOTHING, PODS, Delete, Plan, Replace
from services.simulator.core.view import View
from services.simulator.reconcilers.writer import Writer
from shared.apimachinery.manifest import Manifest, ObjectKey, name_of, uid_of
from shared.apimachinery.taints import time_left
from shared.clock import Clock, format_time
from shared.controller.loop import Controller, LoopSettings
from shared.controller.result import Done, Result
from shared.store.port import Change, ChangeType, Mirror

TICK_SECONDS = 0.05
_TRY_AGAIN_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class PodTimes:
    """How pods of this cluster behave."""

    ready_seconds: float
    duration_seconds: float
    failing_images: tuple[str, ...] = ()


class Kubelet:
    """Implements `Reconciler` for pods; `bind_new` places those that controllers create."""

    def __init__(self, view: View, clock: Clock, network: IPv4Network, times: PodTimes) -> None:
        self.times = times
        self._view = view
        self._clock = clock
        self._network = network
        self._hosts: dict[str, Host] = {}
        self._rooms: dict[str, Room] = {}
        self._placed: dict[ObjectKey, tuple[str, Amounts]] = {}
        self._addresses: dict[ObjectKey, int] = {}
        self._taken: set[int] = set()
        self._last_address = 0
        self._pending: dict[ObjectKey, None] = {}
        self._due: dict[str, float] = {}
        self._writer: Writer | None = None
        self.controller: Controller[ObjectKey] = Controller(
            "simulator-pods", self, LoopSettings(workers=1)
        )

    def start(self, writer: Writer, mirror: Mirror) -> None:
        """Follow the cluster from now on."""
        self._writer = writer
        mirror.on_change(self._follow)

    # What the nodes hold.

    def _follow(self, change: Change) -> None:
        key = change.stored.key
        if key.group_resource == PODS:
            gone, pod = change.type is ChangeType.DELETED, change.stored.manifest
            self._count(key, None if gone else pod)
            if gone or is_deleting(pod) or not _is_settled(pod):
                self.controller.wake(key)
        elif key.group_resource == NODES:
            self._follow_node(change)

    def _follow_node(self, change: Change) -> None:
        name = change.stored.key.name
        if change.type is ChangeType.DELETED:
            self._hosts.pop(name, None)
        else:
            self._hosts[name] = read_host(change.stored.manifest)
            self._try_pending()
        for pod in self._view.pods_on(name):
            self.controller.wake(ObjectKey("", "pods", pod["metadata"]["namespace"], name_of(pod)))

    def _count(self, key: ObjectKey, pod: Manifest | None) -> None:
        """Keep what is used of each node up to date."""
        node = pods.node_of(pod) if pod is not None and not pods.is_finished(pod) else ""
        before = self._placed.get(key)
        if before is not None and before[0] != node:
            self._rooms[before[0]].give_back(before[1])
            del self._placed[key]
            self._try_pending()
        if node and pod is not None and (before is None or before[0] != node):
            requests = requests_of(section(pod, "spec"))
            self._rooms.setdefault(node, Room()).take(requests)
            self._placed[key] = (node, requests)
        if pod is None:
            self._pending.pop(key, None)
            self._taken.discard(self._addresses.pop(key, -1))

    def _try_pending(self) -> None:
        for key in self._pending:
            self.controller.wake(key)

    def _address(self, key: ObjectKey) -> str:
        """The pod's address, given once; the least recently used ones come again last."""
        if key not in self._addresses:
            most = self._network.num_addresses - 2
            while True:
                self._last_address = self._last_address % most + 1
                if self._last_address not in self._taken:
                    break
            self._taken.add(self._last_address)
            self._addresses[key] = self._last_address
        return str(self._network[self._addresses[key]])

    # What becomes of a pod.

    def bind_new(self, _key: ObjectKey, pod: Manifest) -> Manifest:
        """Place a pod before it is created, which spares a write and a wake-up."""
        return self._bind(pod) or pod

    def _bind(self, pod: Manifest) -> Manifest | None:
        now = format_time(self._clock.now())
        if section(pod, "spec").get("schedulingGates"):
            return None
        found = place(section(pod, "spec"), list(self._hosts.values()), self._rooms)
        if isinstance(found, Unschedulable):
            return pods.unschedulable(pod, found.message, now)
        return pods.bound(pod, found, self._hosts[found].address, now)

    async def reconcile(self, key: ObjectKey) -> Result:
        assert self._writer is not None, "started before it runs"
        pod = self._view.get(key)
        if pod is None:
            return Done()
        await self._writer.give_way()
        return await self._writer.carry_out(self._plan(key, pod))

    def _plan(self, key: ObjectKey, pod: Manifest) -> Plan:
        if is_deleting(pod):
            self._due.pop(uid_of(pod), None)
            return NOTHING if pod["metadata"].get("finalizers") else Plan((Delete(PODS, pod),))
        if pods.is_finished(pod):
            self._due.pop(uid_of(pod), None)
            return NOTHING
        node = pods.node_of(pod)
        if not node:
            return self._schedule(key, pod)
        if node not in self._hosts:
            return Plan((Delete(PODS, pod),))
        self._pending.pop(key, None)
        host = self._view.find(NODES, "", node)
        if host is not None and not is_node_ready(host):
            return self._evict(pod, node)
        return self._run(key, pod)

    def _schedule(self, key: ObjectKey, pod: Manifest) -> Plan:
        self._pending[key] = None
        bound = self._bind(pod)
        if bound is None or bound == pod:
            return NOTHING
        return Plan((Replace(PODS, pod, bound),))

    def _evict(self, pod: Manifest, node: str) -> Plan:
        """Nobody knows how it does; when it has tolerated that for long enough, it goes."""
        self._due.pop(uid_of(pod), None)
        now = self._clock.now()
        tolerations = tolerations_of(section(pod, "spec"))
        left = [
            time_left(taint, tolerations, now)
            for taint in self._hosts[node].taints
            if taint.effect == "NoExecute" and taint.key == UNREACHABLE
        ]
        shortest = min((one for one in left if one is not None), default=None)
        if shortest is not None and shortest <= timedelta(0):
            return Plan((Delete(PODS, pod),))
        lost = pods.lost(pod, format_time(now))
        return Plan((Replace(PODS, pod, lost),) if lost != pod else (), shortest)

    def _run(self, key: ObjectKey, pod: Manifest) -> Plan:
        """Start it when its time has come, end it when it ends by itself."""
        if _is_settled(pod):
            return NOTHING
        started = pods.phase_of(pod) == "Running"
        seconds = self.times.ready_seconds
        if started and pods.is_ready(pod):
            seconds = self.times.duration_seconds
        now = asyncio.get_running_loop().time()
        # One waiting at a time: starting and ending come one after the other.
        due = self._due.setdefault(uid_of(pod), _tick(now + seconds))
        if due > now:
            return Plan(again=timedelta(seconds=due - now))
        moment = format_time(self._clock.now())
        if started and pods.is_ready(pod):
            del self._due[uid_of(pod)]
            return Plan((Replace(PODS, pod, pods.finished(pod, moment, failed=False)),))
        trouble = self._trouble(pod)
        if trouble is not None:
            self._due[uid_of(pod)] = _tick(now + _TRY_AGAIN_SECONDS)
            held = pods.waiting(pod, *trouble, moment)
            again = timedelta(seconds=_TRY_AGAIN_SECONDS)
            return Plan((Replace(PODS, pod, held),) if held != pod else (), again)
        del self._due[uid_of(pod)]
        return Plan((Replace(PODS, pod, pods.running(pod, self._address(key), moment)),))

    def _trouble(self, pod: Manifest) -> tuple[str, str] | None:
        """Why no container can start, as (reason, message)."""
        for container in section(pod, "spec").get("containers") or ():
            image = str(container.get("image", ""))
            if any(text in image for text in self.times.failing_images):
                return "ImagePullBackOff", f'Back-off pulling image "{image}"'
        return missing_need(pod, self._view)


def _is_settled(pod: Manifest) -> bool:
    """Whether it runs for good, so that only its node or its deletion can change anything."""
    return pods.phase_of(pod) == "Running" and pods.is_ready(pod) and not pods.ends_by_itself(pod)


def _tick(moment: float) -> float:
    return math.ceil(moment / TICK_SECONDS) * TICK_SECONDS
