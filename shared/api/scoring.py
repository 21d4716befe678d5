"""Which clusters a policy likes better by signals: prices, carbon, latency, words of other systems.

The idea is that of Open Cluster Management's prioritizers and `AddOnPlacementScore`: a score has a
name, a policy gives it a weight. A signal says what is true of a cluster at this moment, in units
of its own; a policy never compares it but with the same signal of other clusters.
"""

from typing import Annotated, Literal

from msgspec import Meta

from shared.api.meta import Struct

PRICE = "price"
"""What a replica costs in an hour, by `spec.price` of the Cluster and what the replica asks for."""
CARBON = "carbon"
"""Grams of CO2 equivalent for a kilowatt-hour: `spec.carbonIntensity`, or what is published."""
LATENCY = "latency"
"""Milliseconds: to health's observers, or from a region, a cluster or a workload."""

FREE_CPU = "free-cpu"
"""Cores that are free on a member's nodes, what is decided and under way taken off."""
FREE_MEMORY = "free-memory"
"""GiB of memory, likewise."""
NODES = "nodes"
"""Nodes that take pods."""
ROOM = (FREE_CPU, FREE_MEMORY, NODES)
"""What a member's room says."""

MEASURED = (PRICE, LATENCY, *ROOM)
"""What nobody can publish: it is worked out, or measured."""

Better = Literal["", "Lowest", "Highest"]


class WorkloadName(Struct, frozen=True, kw_only=True):
    """A workload of the same namespace."""

    api_version: str = "apps/v1"
    kind: str = "Deployment"
    name: str


class MeasuredFrom(Struct, frozen=True, kw_only=True):
    """Of latency: from where; at most one of them. None: the least that any observer measures.

    Between clusters that is what propagators beside members measure, else what Clusters declare.
    """

    from_region: Annotated[
        str,
        Meta(
            description="Of latency: as measured from this region, by an observer that runs there,"
            " else from the nearest of its clusters."
        ),
    ] = ""
    from_cluster: Annotated[str, Meta(description="Of latency: from this cluster.")] = ""
    from_workload: Annotated[
        WorkloadName | None,
        Meta(
            description="Of latency: from the nearest of the clusters in which that workload, of"
            " the same namespace, runs."
        ),
    ] = None

    @property
    def origins(self) -> int:
        """How many of them are given."""
        return bool(self.from_region) + bool(self.from_cluster) + (self.from_workload is not None)


class Score(MeasuredFrom, frozen=True, kw_only=True):
    """One signal, and how much it counts.

    The best of the clusters that the placement's affinity covers gets 100 points, the worst 0,
    others in between in proportion; one of which the signal is not known, or has expired, gets 50.
    With `best` and `worst` the scale is fixed, whatever there is.
    Points, as a part of 100, times `weight` are added to what preferred affinities add.
    """

    name: Annotated[
        str,
        Meta(
            description="price, carbon, latency, free-cpu, free-memory, nodes, or the name of a"
            " score that is published."
        ),
    ]
    weight: Annotated[int, Meta(description="Between 1 and 100.")] = 1
    prefer: Annotated[
        Better,
        Meta(
            description="Which value is best. Left out: Lowest for price, carbon and latency,"
            " Highest for any other."
        ),
    ] = ""
    best: Annotated[
        float | None, Meta(description="What is worth 100 points, and all that is better.")
    ] = None
    worst: Annotated[
        float | None, Meta(description="What is worth none, and all that is worse.")
    ] = None

    @property
    def has_scale(self) -> bool:
        """Whether points do not depend on what other clusters there are."""
        return self.best is not None and self.worst is not None

    @property
    def lowest_is_best(self) -> bool:
        if self.best is not None and self.worst is not None:
            return self.best < self.worst
        return (self.prefer or _USUAL.get(self.name, "Highest")) == "Lowest"


_USUAL: dict[str, Better] = {PRICE: "Lowest", CARBON: "Lowest", LATENCY: "Lowest"}


class Plugin(Struct, frozen=True, kw_only=True):
    """Another program that has a say, asked over NATS before each decision.

    It answers requests on `hanse.plugins.<name>.filter` and `hanse.plugins.<name>.score`.
    """

    name: str
    filter: Annotated[
        bool, Meta(description="It is asked which clusters may not take the object.")
    ] = False
    weight: Annotated[
        int,
        Meta(description="Of the points that it gives, between 1 and 100; 0: it gives none."),
    ] = 0
    timeout_milliseconds: Annotated[
        int, Meta(description="How long its answer is waited for: 500 by default, at most 5000.")
    ] = 500
    failure_policy: Annotated[
        Literal["Fail", "Ignore"],
        Meta(
            description="Where it gives no good answer in time. Fail (default): the object goes to"
            " no cluster where it is not yet. Ignore: as if it had nothing to say."
        ),
    ] = "Fail"
