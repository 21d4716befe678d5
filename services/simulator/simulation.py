"""One simulated cluster, put together: store, controllers, nodes. No network here."""

from collections.abc import Callable, Coroutine, Iterable, Mapping
from ipaddress import IPv4Network
from typing import Any

from services.simulator.admission import MemberAdmission
from services.simulator.backup import BackedUp
from services.simulator.core.cluster import first_objects
from services.simulator.core.nodes import (
    NodeShape,
    cordoned,
    make_node,
    node_answering,
    node_silent,
)
from services.simulator.core.plan import NODES, SERVICES, Create, Delete, Plan, Replace
from services.simulator.core.view import View
from services.simulator.reconcilers.kubelet import Kubelet, PodTimes
from services.simulator.reconcilers.surroundings import Surroundings
from services.simulator.reconcilers.workloads import workload_controller
from services.simulator.reconcilers.writer import Writer
from services.simulator.settings import (
    API_ADDRESS,
    BALANCER_NETWORK,
    INGRESS_ADDRESS,
    SERVICE_NETWORK,
    Settings,
)
from shared.apimachinery.defaults import DEFAULTED
from shared.apimachinery.manifest import GroupResource, Manifest, name_of
from shared.apiserver.admission import Admission
from shared.clock import Clock, format_time
from shared.errors import StaleRevision
from shared.store.memory import MemoryStore
from shared.store.port import Change, ChangeType, StoreLimits

Task = Callable[[], Coroutine[Any, Any, None]]
_ATTEMPTS = 10


class SimulatedCluster:
    """A cluster without an API server: objects go in and out through `store`."""

    def __init__(self, settings: Settings, identity: str, certificate: str, clock: Clock) -> None:
        """*identity*: the uid of kube-system; *certificate*: what pods trust, as PEM."""
        self.settings = settings
        self.view = View()
        self.store = MemoryStore(StoreLimits(history=settings.history))
        self._identity = identity
        self._clock = clock
        self._nodes_made = 0
        times = PodTimes(
            ready_seconds=settings.pod_ready.total_seconds(),
            duration_seconds=settings.pod_duration.total_seconds(),
            failing_images=settings.failing_images,
        )
        self.kubelet = Kubelet(self.view, clock, IPv4Network(settings.pod_network), times)
        self._writer = Writer(
            self.store, self.view, clock, self.kubelet.bind_new, rest=settings.controller_rest
        )
        mirror = self.store.mirror
        # The view first: whoever is woken reads it.
        mirror.on_change(self._follow)
        self.kubelet.start(self._writer, mirror)
        self._workloads = workload_controller(self.view, self._writer, clock, mirror)
        self._surroundings = Surroundings(
            self.view,
            self._writer,
            clock,
            balancers=BALANCER_NETWORK,
            ingress_address=INGRESS_ADDRESS,
            certificate=certificate,
        )
        self._surroundings.start(mirror)

    def _follow(self, change: Change) -> None:
        if change.type is ChangeType.DELETED:
            self.view.remove(change.stored.key)
        else:
            self.view.put(change.stored.key, change.stored.manifest)

    @property
    def admission(self) -> Mapping[GroupResource, Admission]:
        """What the API server of this cluster must do to objects, by resource."""
        rules = MemberAdmission(self.view, SERVICE_NETWORK)
        return dict.fromkeys((*DEFAULTED, SERVICES), rules)

    def requested(self) -> None:
        """Let the controllers know that a client writes: its requests go first."""
        self._writer.requested()

    @property
    def tasks(self) -> Mapping[str, Task]:
        """What must run for the cluster to live."""
        return {
            "pods": self.kubelet.controller.run,
            "workloads": self._workloads.run,
            "surroundings": self._surroundings.controller.run,
        }

    async def furnish(self, api_port: int) -> None:
        """Make what a new cluster has; call it once, before anyone uses the cluster."""
        nodes = [self._new_node() for _ in range(self.settings.nodes)]
        writes = first_objects(nodes, self._identity, API_ADDRESS, api_port)
        await self._writer.carry_out(Plan(tuple(writes)))

    async def restore(self, objects: Iterable[BackedUp]) -> None:
        """Begin with what was backed up, instead of `furnish`."""
        for one in objects:
            await self.store.create(one.key, one.manifest)
        self._nodes_made = len(self.view.all(NODES))

    # Nodes on request.

    def _new_node(self) -> Manifest:
        self._nodes_made += 1
        settings = self.settings
        shape = NodeShape(
            cpu=settings.node_cpu,
            memory=settings.node_memory,
            pods=settings.node_pods,
            region=settings.region,
            zone=settings.zone,
            provider=settings.provider,
            cluster=settings.name,
            version=settings.version,
        )
        name = f"{settings.name}-node-{self._nodes_made}"
        return make_node(name, self._nodes_made, shape, format_time(self._clock.now()))

    async def add_node(self) -> str:
        """Return the new node's name."""
        node = self._new_node()
        await self._writer.carry_out(Plan((Create(NODES, node),)))
        return name_of(node)

    async def remove_node(self, name: str) -> bool:
        """Take the node away for good, with all it runs; False where there is none."""
        return await self._change_node(name, None)

    async def cordon_node(self, name: str, *, unschedulable: bool) -> bool:
        return await self._change_node(
            name, lambda node: cordoned(node, unschedulable=unschedulable)
        )

    async def silence_node(self, name: str, *, silent: bool) -> bool:
        """Let the node stop answering, or answer again."""
        now = format_time(self._clock.now())
        mark = node_silent if silent else node_answering
        return await self._change_node(name, lambda node: mark(node, now))

    async def _change_node(self, name: str, change: Callable[[Manifest], Manifest] | None) -> bool:
        for attempt in range(_ATTEMPTS):
            node = self.view.find(NODES, "", name)
            if node is None:
                return False
            new = change(node) if change is not None else None
            write = Delete(NODES, node) if new is None else Replace(NODES, node, new)
            try:
                await self._writer.carry_out(Plan((write,)))
            except StaleRevision:
                if attempt == _ATTEMPTS - 1:
                    raise
                continue
            return True
        return False
