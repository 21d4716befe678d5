"""When what is placed is decided anew, and what follows where replicas find no node.

The names are KubeAdmiral's (`core.kubeadmiral.io/v1alpha1`, `reschedulePolicy`, `autoMigration`).
Here everything is on by default, as it was before there were switches; `clusterTainted`,
`capacityChanged` and `scoreGain` are added.
"""

from typing import Annotated

from msgspec import Meta

from shared.api.meta import Struct


class RescheduleWhen(Struct, frozen=True, kw_only=True):
    """What may move an object that has its place. Once one of these does, all is decided anew.

    A change of the object itself, a cluster that is lost or leaving, and a WorkloadRebalancer
    always do.
    """

    policy_content_changed: Annotated[
        bool,
        Meta(
            description="False: another placement takes effect for what is placed when the object"
            " itself is changed next (default true: at once)."
        ),
    ] = True
    cluster_joined: Annotated[
        bool,
        Meta(
            description="False: a cluster that joins or returns, or a weight that changes with"
            " labels, draws nothing from clusters where it can stay (default true)."
        ),
    ] = True
    cluster_labels_changed: Annotated[
        bool,
        Meta(
            description="False: what is in a cluster that the affinity, or the groups of its"
            " namespace, no longer cover stays there (default true)."
        ),
    ] = True
    cluster_tainted: Annotated[
        bool,
        Meta(
            description="False: nothing leaves a cluster for a NoExecute taint, and so for its"
            " being unreachable (default true)."
        ),
    ] = True
    capacity_changed: Annotated[
        bool,
        Meta(
            description="False: what found no place is not tried again when there is room"
            " somewhere (default true)."
        ),
    ] = True

    score_gain: Annotated[
        int | None,
        Meta(
            description="What has its place is placed anew where its replicas would score so much"
            " more on average, as prices and other scores change. Every score needs best and worst."
            " Left out: never."
        ),
    ] = None


class ReschedulePolicy(Struct, frozen=True, kw_only=True):
    """Which changes of the fleet and of the policy move what is placed."""

    reschedule_when: RescheduleWhen = RescheduleWhen()


class AutoMigrationTrigger(Struct, frozen=True, kw_only=True):
    """When replicas are taken away from a cluster."""

    pod_unschedulable_for: Annotated[
        str,
        Meta(
            description="How long pods must have found no node: a duration such as 90s or 5m"
            " (default 5m)."
        ),
    ] = "5m"


class AutoMigration(Struct, frozen=True, kw_only=True):
    """Replicas that find no node in their cluster go to others that have a place for them.

    Where none has they stay. The cluster is given no more than it runs for half an hour, and for
    twice as long each time it happens there again.
    """

    when: AutoMigrationTrigger = AutoMigrationTrigger()
