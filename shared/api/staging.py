"""How a policy has changes travel from cluster to cluster: the rules, as a policy writes them.

Stages, approval and concurrency are named as in KubeFleet's StagedUpdateStrategy, the rest as in
the RolloutStrategy of Open Cluster Management, of which this is the union. Clusters are picked
as everywhere in a policy.
"""

from typing import Literal

from shared.api.meta import Struct
from shared.api.selection import ClusterAffinity


class RolloutPace(Struct, frozen=True, kw_only=True):
    """How fast and how careful: what a stage does not say itself, its strategy says.

    `maxConcurrency` (100%): so many clusters of a stage change at the same time. `maxFailures` (0):
    so many of a stage may fail before the rollout stops. Either is a number or a percentage of the
    stage's clusters; of the first a part counts as one, of the second as none. `minSuccessTime`
    (0s): so long a cluster must be healthy before it counts as updated. `progressDeadline` (10m):
    a cluster that is not healthy after so long has failed. Both are Go durations (1h30m).
    """

    max_concurrency: int | str | None = None
    max_failures: int | str | None = None
    min_success_time: str = ""
    progress_deadline: str = ""


class RolloutStage(RolloutPace, frozen=True, kw_only=True):
    """Some of the clusters that no earlier stage took; it begins once the one before is done.

    `clusterAffinity`: those it covers; without it all that are left. `percentage` (1 to 100): only
    so many of them, rounded up, in the order of their names. With `approval: Required` it waits
    for somebody to say yes to this revision (`hanse rollout approve`).
    """

    name: str
    cluster_affinity: ClusterAffinity | None = None
    percentage: int | None = None
    approval: Literal["None", "Required"] = "None"


class RolloutStrategy(RolloutPace, frozen=True, kw_only=True):
    """Stages one after the other; clusters that none of them takes come last, as `remaining`.

    `onFailure` says what follows when too many clusters of a stage fail. Pause: nothing more is
    changed until somebody decides. Rollback: every cluster gets the last complete revision again.
    `revisionHistoryLimit`: so many revisions are kept besides those in use.
    """

    stages: tuple[RolloutStage, ...] = ()
    on_failure: Literal["Pause", "Rollback"] = "Pause"
    revision_history_limit: int = 10


REMAINING = "remaining"
"""The stage of clusters that no stage of the policy takes."""

NEVER_STAGED: frozenset[tuple[str, str]] = frozenset({("", "namespaces"), ("", "secrets")})
"""Group and resource of what goes to every cluster at once whatever a policy says.

A namespace follows what lives in it; and a secret is never copied into a record of revisions, which
others may read.
"""
