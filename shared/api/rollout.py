"""`ResourceRollout` and `ClusterResourceRollout`: how far a change has come, cluster by cluster.

One for each binding whose policy has a `rollout`, under the binding's name. People write `spec`
(by the gateway); the propagator alone writes `status`, which is all that is remembered between two
looks: which revision each cluster must hold follows from it.
"""

from typing import Annotated, Literal

from msgspec import Meta

from shared.api.binding import ObjectReference
from shared.api.meta import Condition, Kind, Struct

ROLLOUTS = ("resourcerollouts", "clusterresourcerollouts")
"""The resources of the kinds, the namespaced one first."""

COMPLETE = "Complete"
PROGRESSING = "Progressing"

Phase = Literal[
    "Progressing",
    "WaitingForApproval",
    "Paused",
    "Failed",
    "RollingBack",
    "RolledBack",
    "Complete",
]
StageState = Literal["Waiting", "WaitingForApproval", "Progressing", "Failed", "Complete"]
ClusterState = Literal["Waiting", "Updating", "Updated", "Failed", "Reverting", "Reverted"]


class Approval(Struct, frozen=True, kw_only=True):
    """Yes to one stage of one revision."""

    revision: Annotated[int, Meta(description="The target revision that may go on.")]
    stage: Annotated[str, Meta(description="The name of a stage of the policy, or remaining.")]


class RolloutSpec(Struct, frozen=True, kw_only=True):
    """What people say to a rollout."""

    paused: Annotated[
        bool,
        Meta(
            description="Nothing is changed in any cluster but what follows from scaling and"
            " placement."
        ),
    ] = False
    approvals: tuple[Approval, ...] = ()
    attempt: Annotated[
        int,
        Meta(description="A higher number tries again a rollout that failed or was rolled back."),
    ] = 0


class StageStatus(Struct, frozen=True, kw_only=True):
    """`since` (RFC 3339) is when it came into its state."""

    name: str
    state: StageState = "Waiting"
    clusters: int = 0
    updated: int = 0
    failed: int = 0
    since: str = ""


class RolloutCluster(Struct, frozen=True, kw_only=True):
    """The revision one cluster must hold; 0 is none that is recorded: it keeps what it has.

    `templateGeneration` is the template's at which this revision was last what its author wished.
    `since` is when the state began (empty while nothing is heard of a cluster that is updating: its
    time stands still), `healthySince` since when it is healthy with the new revision.
    """

    name: str
    stage: str = ""
    revision: int = 0
    template_generation: int = 0
    state: ClusterState = "Waiting"
    since: str = ""
    healthy_since: str = ""
    message: str = ""


class RolloutStatus(Struct, frozen=True, kw_only=True):
    """`targetRevision` is what the template and its overrides say now.

    `completeRevision` is the last that went through all stages, or 0: clusters that are not to
    change yet hold it, and so does who is rolled back. `previousRevision` was complete before it.
    `failure` says why the target stopped. `resource` is the template.
    """

    resource: ObjectReference | None = None
    observed_generation: int = 0
    template_generation: int = 0
    attempt: int = 0
    phase: Phase = "Progressing"
    since: str = ""
    stage: str = ""
    target_revision: int = 0
    complete_revision: int = 0
    previous_revision: int = 0
    message: str = ""
    failure: str = ""
    stages: tuple[StageStatus, ...] = ()
    clusters: tuple[RolloutCluster, ...] = ()
    conditions: tuple[Condition, ...] = ()


class ResourceRollout(Kind, frozen=True, kw_only=True):
    kind: str = "ResourceRollout"
    spec: RolloutSpec = RolloutSpec()
    status: RolloutStatus = RolloutStatus()
