"""`TrafficPolicy`: how the traffic of a service is shared among the clusters that run it.

People write `spec`; the service traffic alone writes `status`, which is all that it remembers
between two looks. Clusters are picked as everywhere in a policy. `weights` are written as
Karmada's `staticWeightList`, `onFailure`, `paused` and `attempt` as those of a rollout,
`sessionAffinity` as a Service's.
"""

from typing import Annotated, Literal

from msgspec import Meta

from shared.api.meta import Condition, Kind, Struct
from shared.api.selection import GroupAffinity

TRAFFIC_POLICIES = "trafficpolicies"
WHOLE = 10_000
"""Shares are parts of this: a hundredth of a percent is the least there is."""

ROUTED = "Routed"
"""Whether there is a cluster for the traffic; False: it goes nowhere, or the policy is amiss."""
SHIFTED = "Shifted"
"""There while a shift is asked for: True once its last step is done."""
CLUSTERS_KNOWN = "ClustersKnown"
"""False while the policy names a cluster, or a group of them, that there is not."""
CARRIED = "Carried"
"""There once a load balancer or a route carries it: False while one cannot do it as decided."""


class TrafficWeight(Struct, frozen=True, kw_only=True):
    """So much of the traffic goes to the clusters that `targetCluster` covers, all together.

    Among themselves they share it by ready replicas. A cluster takes the first entry that covers
    it, and one that none covers takes nothing, as does a weight of 0.
    """

    target_cluster: GroupAffinity
    weight: int


class Locality(Struct, frozen=True, kw_only=True):
    """Traffic stays in the region it comes from; what is too much for it goes to the next nearest.

    Regions are near by the time in which their clusters answer an observer of that region, where
    there is one.
    """

    min_ready_percent: Annotated[
        int,
        Meta(
            description="The near ones keep everything while so many of their wanted replicas are"
            " ready; with fewer they keep that much less (1 to 100, default 70)."
        ),
    ] = 70
    max_rate_per_endpoint: Annotated[
        int | None,
        Meta(
            description="Requests per second that a ready replica has room for. What the near ones"
            " have no room for goes on, as far as load balancers tell how much comes."
        ),
    ] = None


class FailoverOrder(Struct, frozen=True, kw_only=True):
    """Groups of clusters of which the first that is well takes everything.

    Clusters that none of them covers come last.
    """

    order: tuple[GroupAffinity, ...]
    min_ready_percent: Annotated[
        int,
        Meta(
            description="A group is well while so many of its wanted replicas are ready (1 to 100,"
            " default 50)."
        ),
    ] = 50
    return_after: Annotated[
        str,
        Meta(
            description="How long a group must be well, without a break, before traffic returns to"
            " it: a duration such as 90s or 1h30m (default 2m)."
        ),
    ] = "2m"


class ShiftStep(Struct, frozen=True, kw_only=True):
    """So much of the traffic, for so long, before the next step."""

    percentage: Annotated[int, Meta(description="1 to 100, more than in the step before.")]
    duration: Annotated[
        str, Meta(description="How long the gate must hold: a duration such as 90s or 1h30m.")
    ] = "0s"


class ShiftGate(Struct, frozen=True, kw_only=True):
    """What must hold in the clusters of `to` for a step to be passed.

    Requests and errors are those that load balancers tell of while the step lasts: an error is an
    answer of 500 or above, or none.
    """

    max_error_percent: Annotated[
        float, Meta(description="More errors among the requests of a step are a failure.")
    ] = 1.0
    min_requests: Annotated[
        int,
        Meta(
            description="Fewer requests prove nothing, neither way: it waits for more. With 0 it"
            " goes by time and readiness alone where nobody tells of requests."
        ),
    ] = 0
    min_ready_percent: Annotated[
        int, Meta(description="Fewer of the wanted replicas being ready is a failure.")
    ] = 50


class Shift(Struct, frozen=True, kw_only=True):
    """Traffic goes over to the clusters of `to` step by step, and back by itself if they fail.

    `to` takes its percentage whatever weights say; those hold within `to` and within the others.
    Once the last step is done its percentage stays.
    """

    to: GroupAffinity
    steps: tuple[ShiftStep, ...]
    gate: ShiftGate = ShiftGate()
    on_failure: Annotated[
        Literal["Retreat", "Pause"],
        Meta(
            description="What follows when the gate does not hold. Retreat (default): the clusters"
            " of to get nothing. Pause: the step stays as it is until somebody decides."
        ),
    ] = "Retreat"
    paused: Annotated[bool, Meta(description="True: the step stays as it is.")] = False
    attempt: Annotated[
        int, Meta(description="A higher number begins again a shift that failed.")
    ] = 0


class ClusterGateway(Struct, frozen=True, kw_only=True):
    """Where load balancers and the world reach the service in a cluster, in place of its pods."""

    cluster: str
    addresses: Annotated[
        tuple[str, ...], Meta(description="A host and a port each: 203.0.113.7:443.")
    ]


class RouteGateway(Struct, frozen=True, kw_only=True):
    """A Gateway that a route is attached to, as in its parentRefs."""

    name: str
    namespace: Annotated[str, Meta(description="Left out, that of the policy.")] = ""
    section_name: Annotated[str, Meta(description="One of its listeners; left out, any.")] = ""


class TrafficRoute(Struct, frozen=True, kw_only=True):
    """Clusters whose gateways (of the Gateway API) share the traffic out as the split says.

    Each has a Service for every cluster's share. Where routes that Hanse propagates there refer to
    the service, or its ServiceImport, these take its place, weighted; with `gateway` a route is
    written as well. A cluster takes the first entry that covers it.
    """

    target_cluster: GroupAffinity
    gateway: RouteGateway | None = None


class TrafficWorkload(Struct, frozen=True, kw_only=True):
    """Whose replicas answer for the service: how many are wanted in each cluster is its matter."""

    kind: Literal["Deployment", "StatefulSet", "DaemonSet"] = "Deployment"
    name: str


class TrafficSpec(Struct, frozen=True, kw_only=True):
    """What traffic, and how it is shared; without any rule by ready replicas.

    The parts work together in this order: `failover` chooses the clusters, `shift` parts them in
    two, `locality` puts the near ones first, `weights` shares among those equally near.
    """

    service: Annotated[str, Meta(description="The Service, in the policy's namespace.")]
    workload: Annotated[
        TrafficWorkload | None,
        Meta(description="Left out, the Deployment of the service's name."),
    ] = None
    hosts: Annotated[
        tuple[str, ...],
        Meta(description="Host names by which the world asks for it: routes and names for them."),
    ] = ()
    port: Annotated[
        int | None, Meta(description="Of the Service's ports; left out, the first.")
    ] = None
    weights: tuple[TrafficWeight, ...] = ()
    locality: Locality | None = None
    failover: FailoverOrder | None = None
    shift: Shift | None = None
    session_affinity: Annotated[
        Literal["None", "ClientIP", "Cookie"],
        Meta(
            description="Whether a client stays with the cluster it met first: by its address, or"
            " by a cookie that the load balancer sets."
        ),
    ] = "None"
    session_timeout: Annotated[
        str, Meta(description="How long an idle client is remembered (default 3h).")
    ] = "3h"
    gateways: tuple[ClusterGateway, ...] = ()
    routes: tuple[TrafficRoute, ...] = ()


ShareReason = Literal[
    "Shared",
    "Overflow",
    "NoEndpoints",
    "Unreachable",
    "Drained",
    "NoWeight",
    "NearerOnes",
    "FailoverOrder",
    "ShiftedAway",
    "NotShiftedYet",
]


class ClusterShare(Struct, frozen=True, kw_only=True):
    """What one cluster gets, in parts of 10,000, and why: a word for programs, a clause for people.

    `ready` and `wanted` are replicas there.
    """

    name: str
    share: int = 0
    ready: int = 0
    wanted: int = 0
    reason: ShareReason = "Shared"
    message: str = ""


class TrafficSplit(Struct, frozen=True, kw_only=True):
    """How traffic from one region is shared; region "" is from anywhere else."""

    region: str
    clusters: tuple[ClusterShare, ...] = ()


class FailoverState(Struct, frozen=True, kw_only=True):
    """Which group takes the traffic, from 0, and since when.

    `wellSince` has the groups before it that are well again, by number, and since when.
    """

    active: int = 0
    since: str = ""
    well_since: dict[str, str] = {}


ShiftPhase = Literal["Progressing", "Paused", "Failed", "Retreated", "Complete"]


class ShiftState(Struct, frozen=True, kw_only=True):
    """How far a shift has come; `step` counts from 0, `since` is when it began (RFC 3339).

    `requests` and `errors` are what was told while the step lasts. `digest` tells apart shifts that
    go elsewhere; `elapsedSeconds` is how long the gate held before it was paused.
    """

    phase: ShiftPhase = "Progressing"
    step: int = 0
    percentage: int = 0
    since: str = ""
    elapsed_seconds: float = 0.0
    requests: int = 0
    errors: int = 0
    attempt: int = 0
    digest: str = ""
    message: str = ""


class TrafficStatus(Struct, frozen=True, kw_only=True):
    observed_generation: int = 0
    splits: tuple[TrafficSplit, ...] = ()
    failover: FailoverState | None = None
    shift: ShiftState | None = None
    conditions: tuple[Condition, ...] = ()
    observed_time: str = ""


class TrafficPolicy(Kind, frozen=True, kw_only=True):
    kind: str = "TrafficPolicy"
    spec: TrafficSpec
    status: TrafficStatus = TrafficStatus()
