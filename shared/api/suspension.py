"""Holding back, on purpose: decisions, or what they send to the members.

The names are those of Karmada (`policy.karmada.io/v1alpha1`, `spec.suspension` and
`spec.activationPreference`); there `scheduling` is a field of bindings only.
"""

from typing import Annotated, Literal

from msgspec import Meta

from shared.api.meta import Struct

ActivationPreference = Literal["", "Lazy"]


class SuspendClusters(Struct, frozen=True, kw_only=True):
    """The clusters that are spoken of, by name."""

    cluster_names: tuple[str, ...] = ()


class Suspension(Struct, frozen=True, kw_only=True):
    """What is held back while it says so; what runs goes on running as it is."""

    dispatching: Annotated[
        bool,
        Meta(
            description="True: nothing is sent to any member. What they hold stays as it is there,"
            " and what somebody changes is corrected as before."
        ),
    ] = False
    dispatching_on_clusters: SuspendClusters = SuspendClusters()
    scheduling: Annotated[
        bool,
        Meta(
            description="True: nothing is decided. Shares stay as they are, what is new has none."
        ),
    ] = False

    def holds(self, cluster: str) -> bool:
        """Whether nothing is sent to *cluster*."""
        return self.dispatching or cluster in self.dispatching_on_clusters.cluster_names
