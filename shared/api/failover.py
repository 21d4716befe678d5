"""What follows when something that runs is lost: its cluster, or its health there.

The vocabulary is Karmada's `FailoverBehavior`.
"""

from typing import Annotated, Literal

from msgspec import Meta

from shared.api.meta import Struct

Fencing = Literal["None", "Required"]
PurgeMode = Literal["Directly", "Gracefully", "Never"]


class StatePreservationRule(Struct, frozen=True, kw_only=True):
    """One value of the status that the lost cluster last reported, as a label."""

    alias_label_name: Annotated[
        str, Meta(description="The label by which the object is given the value elsewhere.")
    ]
    json_path: Annotated[
        str, Meta(description="Where the value is, in the status: `{.checkpoint.id}`.")
    ]


class StatePreservation(Struct, frozen=True, kw_only=True):
    """What the object is told of its state where it goes next."""

    rules: tuple[StatePreservationRule, ...] = ()


class ClusterFailover(Struct, frozen=True, kw_only=True):
    """What happens to the share of a cluster that is gone."""

    purge_mode: Annotated[
        PurgeMode,
        Meta(
            description="Gracefully (default): the old share goes once the new one is healthy."
            " Directly: at once. Never: it stays."
        ),
    ] = "Gracefully"
    state_preservation: StatePreservation | None = None


class DecisionConditions(Struct, frozen=True, kw_only=True):
    """When an application is given up where it is."""

    toleration_seconds: Annotated[
        int,
        Meta(description="How long it may be unhealthy in a cluster that is well (default 300)."),
    ] = 300


class ApplicationFailover(Struct, frozen=True, kw_only=True):
    """What happens where the object itself is not healthy, though its cluster is."""

    decision_conditions: DecisionConditions = DecisionConditions()
    purge_mode: Annotated[
        PurgeMode,
        Meta(
            description="Gracefully (default): the old share goes once the new one is healthy."
            " Directly: at once. Never: it stays."
        ),
    ] = "Gracefully"
    grace_period_seconds: Annotated[
        int | None,
        Meta(
            description="With Gracefully: after how long the old share goes in any case. Left out,"
            " it stays until the new one is healthy."
        ),
    ] = None
    state_preservation: StatePreservation | None = None


class Failover(Struct, frozen=True, kw_only=True):
    """What follows when something that runs is lost."""

    cluster: ClusterFailover = ClusterFailover()
    application: Annotated[
        ApplicationFailover | None,
        Meta(description="Left out, an object stays where it is however it does there."),
    ] = None
    fencing: Annotated[
        Fencing,
        Meta(
            description="Required: what runs in one cluster begins in another only once it is known"
            " to have stopped in the first. A cluster that is silent is known to have stopped if a"
            " propagator beside it held a lease (mode Pull), and never otherwise. None (default):"
            " for a while it may run in both."
        ),
    ] = "None"
