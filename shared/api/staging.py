"""How a policy has changes travel from cluster to cluster: the rules, as a policy writes them.

Stages, approval and concurrency are named as in KubeFleet's StagedUpdateStrategy, the rest as in
the RolloutStrategy of Open Cluster Management, of which this is the union. Clusters are picked
as everywhere in a policy.
"""

from typing import Annotated, Literal

from msgspec import Meta

from shared.api.meta import Struct
from shared.api.selection import GroupAffinity


class RolloutPace(Struct, frozen=True, kw_only=True):
    """How fast and how careful: what a stage does not say itself, its strategy says."""

    max_concurrency: Annotated[
        int | str | None,
        Meta(
            description="So many clusters of a stage change at the same time: a number, or a"
            " percentage of its clusters, rounded up (default 100%)."
        ),
    ] = None
    max_failures: Annotated[
        int | str | None,
        Meta(
            description="So many clusters of a stage may fail: a number, or a percentage of its"
            " clusters, rounded down (default 0)."
        ),
    ] = None
    min_success_time: Annotated[
        str,
        Meta(
            description="How long a cluster must be healthy, without a break, before it counts as"
            " updated: a duration such as 90s or 1h30m (default 0s)."
        ),
    ] = ""
    progress_deadline: Annotated[
        str,
        Meta(
            description="A cluster that is not healthy after so long has failed; one that is"
            " Degraded has failed at once (default 10m)."
        ),
    ] = ""
    sorting_label_key: Annotated[
        str,
        Meta(
            description="A label of the clusters that says, as a whole number, who comes first: the"
            " lowest. Those without one come last, and all by name where it is left out."
        ),
    ] = ""


class RolloutStage(RolloutPace, frozen=True, kw_only=True):
    """Some of the clusters that no earlier stage took; it begins once the one before is done."""

    name: Annotated[str, Meta(description="Unlike that of every other stage.")]
    cluster_affinity: Annotated[
        GroupAffinity | None,
        Meta(description="It takes those that this covers; without it all that are left."),
    ] = None
    percentage: Annotated[
        int | None,
        Meta(description="Only so many of those, 1 to 100, rounded up, the first of them."),
    ] = None
    approval: Annotated[
        Literal["None", "Required"],
        Meta(
            description="Required: it waits for somebody to say yes to this revision, as hanse"
            " rollout approve does."
        ),
    ] = "None"


class RolloutStrategy(RolloutPace, frozen=True, kw_only=True):
    """Stages one after the other; clusters that none of them takes come last, as remaining."""

    stages: tuple[RolloutStage, ...] = ()
    on_failure: Annotated[
        Literal["Pause", "Rollback"],
        Meta(
            description="What follows when too many clusters of a stage fail. Pause: nothing more"
            " is changed until somebody decides. Rollback: every cluster gets the last complete"
            " revision again."
        ),
    ] = "Pause"
    revision_history_limit: Annotated[
        int, Meta(description="So many revisions are kept besides those in use.")
    ] = 10


REMAINING = "remaining"
"""The stage of clusters that no stage of the policy takes."""

NEVER_STAGED: frozenset[tuple[str, str]] = frozenset({("", "namespaces"), ("", "secrets")})
"""Group and resource of what goes to every cluster at once whatever a policy says.

A namespace follows what lives in it; and a secret is never copied into a record of revisions, which
others may read.
"""
