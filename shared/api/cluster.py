"""`Cluster`: a member of the federation.

`spec` is what an administrator declares. `status` has two writers with a field each to itself:
registry (id, kubernetesVersion, apiEnablements, condition Joined) and health (conditions Ready and
others, taints, capacity, fence, latencies, observedTime). A taint that Hanse sets is in
`status.taints`, never in `spec.taints`, so a verdict cannot overwrite an administrator's word
(ADR 0003).
"""

from typing import Annotated, Literal

from msgspec import Meta

from shared.api.meta import Condition, Kind, Struct

READY = "Ready"
JOINED = "Joined"
UNREACHABLE_TAINT = "cluster.hanse.dev/unreachable"
MAINTENANCE_TAINT = "cluster.hanse.dev/maintenance"
"""Borne in a maintenance window; it stands in no field."""
DRAINING_TAINT = "cluster.hanse.dev/draining"
"""Of a member that is being drained: traffic leaves it whatever the effect, and replicas once that
is NoExecute."""
NOT_READY_TAINT = "cluster.hanse.dev/not-ready"
RETURNING_TAINT = "cluster.hanse.dev/returning"
"""Of a member that failed more than once of late, until it has been well for a while."""


class Taint(Struct, frozen=True, kw_only=True):
    """As `corev1.Taint`; `timeAdded` is RFC 3339."""

    key: str
    value: str = ""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]
    time_added: str | None = None


class MaintenanceWindow(Struct, frozen=True, kw_only=True):
    """A time in which a member takes nothing new, from *start* on and before *end*, RFC 3339."""

    start: str
    end: str
    repeat: Annotated[
        Literal["", "Daily", "Weekly"],
        Meta(description="Again every day, or every week, 24 hours or 168 after the last time."),
    ] = ""
    evict: Annotated[
        bool,
        Meta(
            description="What is there leaves too, once it runs elsewhere; unless its policy"
            " tolerates the taint cluster.hanse.dev/maintenance, which the member then bears."
        ),
    ] = False


class ClusterNetwork(Struct, frozen=True, kw_only=True):
    """What an administrator knows of the network of a member's pods; nothing is set up by it."""

    name: Annotated[
        str,
        Meta(
            description="Pods of members whose network has the same name reach one another by their"
            " own addresses."
        ),
    ] = ""
    pod_ranges: tuple[str, ...] = ()
    service_ranges: tuple[str, ...] = ()
    gateway: Annotated[
        str,
        Meta(description="By which other networks reach its pods; empty where none does."),
    ] = ""


class Price(Struct, frozen=True, kw_only=True):
    """What a member costs in an hour, in whatever currency all members state it.

    Quantities: `0.031` or `31m`. What is not named costs nothing.
    """

    cpu: Annotated[str, Meta(description="Of a core.")] = "0"
    memory: Annotated[str, Meta(description="Of a GiB of memory.")] = "0"
    gpu: Annotated[str, Meta(description="Of a GPU of any sort.")] = "0"


class DeclaredLatency(Struct, frozen=True, kw_only=True):
    """How long a round trip takes to a cluster, or to a region, where nobody measures it."""

    cluster: str = ""
    region: str = ""
    milliseconds: int


class ClusterSpec(Struct, frozen=True, kw_only=True):
    """What an administrator declares."""

    mode: Annotated[
        Literal["Push", "Pull"],
        Meta(
            description="Push (default): a propagator of the hub works for the member. Pull: one"
            " that runs beside the member does, and no other."
        ),
    ] = "Push"
    api_endpoint: str = ""
    provider: str = ""
    region: str = ""
    zone: str = ""
    taints: tuple[Taint, ...] = ()
    maintenance_windows: tuple[MaintenanceWindow, ...] = ()
    price: Price | None = None
    network: ClusterNetwork | None = None
    carbon_intensity: Annotated[
        int | None,
        Meta(
            description="Grams of CO2 equivalent for a kilowatt-hour there, unless another system"
            " publishes the score carbon."
        ),
    ] = None
    latencies: Annotated[
        tuple[DeclaredLatency, ...],
        Meta(
            description="Round trips to other clusters and regions, and back from there, where no"
            " propagator beside a member measures them."
        ),
    ] = ()
    leaving: Annotated[
        Literal["", "Keep", "Move", "Remove"],
        Meta(
            description="Prepares a member for its Cluster to be deleted. Keep: what it imported"
            " from other members goes, and all else stays. Move: what runs there goes, too, once it"
            " runs elsewhere, and stays where there is no other place. Remove: it goes at once."
            " Move and Remove keep new shares away."
        ),
    ] = ""


class ApiResource(Struct, frozen=True, kw_only=True):
    name: str
    kind: str
    namespaced: bool = True


class ApiEnablement(Struct, frozen=True, kw_only=True):
    """What the member serves under one group/version."""

    group_version: str
    resources: tuple[ApiResource, ...] = ()


class NodeClass(Struct, frozen=True, kw_only=True):
    """So many ready nodes with (at least) this much free: quantities as Kubernetes writes them.

    `labels` are those that not all nodes of the member share, `taints` those that keep pods away
    which do not tolerate them.
    """

    count: int
    free: dict[str, str] = {}
    labels: dict[str, str] = {}
    taints: tuple[Taint, ...] = ()


class NamespaceRoom(Struct, frozen=True, kw_only=True):
    """What the ResourceQuotas of a namespace leave there, of what pods may ask for."""

    namespace: str
    free: dict[str, str] = {}


class UnschedulablePods(Struct, frozen=True, kw_only=True):
    """So many pods of one owner have found no node; `since` when so many, RFC 3339."""

    namespace: str
    kind: str
    name: str
    count: int
    since: str


class Capacity(Struct, frozen=True, kw_only=True):
    """Sums over nodes that take any pod, and the free room by size and sort of node.

    `allocatable` and `allocated` count every resource the nodes name (cpu, memory, pods, GPUs).
    `labels` are those that all nodes share; of those in `labelsLeftOut` ("*": of any other) it is
    not told which node has which. `unschedulable` are pods for which there was no room.
    `observedTime` is when this was written.
    """

    nodes_total: int = 0
    nodes_ready: int = 0
    allocatable: dict[str, str] = {}
    allocated: dict[str, str] = {}
    node_classes: tuple[NodeClass, ...] = ()
    labels: dict[str, str] = {}
    labels_left_out: tuple[str, ...] = ()
    quotas: tuple[NamespaceRoom, ...] = ()
    unschedulable: tuple[UnschedulablePods, ...] = ()
    observed_time: str | None = None


class Fence(Struct, frozen=True, kw_only=True):
    """The lease of the propagator beside the member, by which it can stop what must not run twice.

    `held`: its last word is not too old. `term` rises when the hub revokes it; what ran under an
    older one runs no more.
    """

    term: int
    held: bool = False


class RegionLatency(Struct, frozen=True, kw_only=True):
    """How soon a member answers the observers of a region; the quickest of them counts."""

    region: str
    milliseconds: int


class ClusterStatus(Struct, frozen=True, kw_only=True):
    id: str = ""
    kubernetes_version: str = ""
    api_enablements: tuple[ApiEnablement, ...] = ()
    conditions: tuple[Condition, ...] = ()
    taints: tuple[Taint, ...] = ()
    capacity: Capacity | None = None
    observed_time: str | None = None
    latency_milliseconds: Annotated[
        int | None, Meta(description="The least that any observer measured.")
    ] = None
    latencies: tuple[RegionLatency, ...] = ()
    outages: tuple[str, ...] = ()
    """When it was given up, the last times within an hour (RFC 3339)."""
    fence: Fence | None = None


class Cluster(Kind, frozen=True, kw_only=True):
    kind: str = "Cluster"
    spec: ClusterSpec = ClusterSpec()
    status: ClusterStatus = ClusterStatus()

    @property
    def taints(self) -> tuple[Taint, ...]:
        """The administrator's and Hanse's own."""
        return self.spec.taints + self.status.taints
