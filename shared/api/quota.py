"""`FederatedResourceQuota`: what a namespace may ask for in all clusters together.

Karmada's kind (`policy.karmada.io/v1alpha1`) with its fields. Counted are what replicas ask for
and how many there are: `cpu`, `memory` and every other resource, with or without `requests.`, and
`pods`. It is enforced when templates are written and whenever replicas are divided.
"""

from typing import Annotated

from msgspec import Meta

from shared.api.meta import Kind, Struct

Amounts = dict[str, str]
"""Quantities by resource, as Kubernetes writes them."""

StatedAmounts = dict[str, int | str]
"""As people write them: `cpu: 100` is a number."""


def _written(amounts: StatedAmounts) -> Amounts:
    return {name: str(amount) for name, amount in amounts.items()}


class StaticAssignment(Struct, frozen=True, kw_only=True):
    """What of it may be in one cluster; clusters that none names are bound by `overall` alone."""

    cluster_name: str
    hard: StatedAmounts

    @property
    def limits(self) -> Amounts:
        return _written(self.hard)


class FederatedResourceQuotaSpec(Struct, frozen=True, kw_only=True):
    overall: Annotated[StatedAmounts, Meta(description="In all clusters together.")]
    static_assignments: Annotated[
        tuple[StaticAssignment, ...], Meta(description="How much of it in one cluster.")
    ] = ()

    @property
    def limits(self) -> Amounts:
        return _written(self.overall)


class ClusterQuotaStatus(Struct, frozen=True, kw_only=True):
    """What is enforced in a cluster that an assignment names, and what is decided for it."""

    cluster_name: str
    hard: Amounts = {}
    used: Amounts = {}


class FederatedResourceQuotaStatus(Struct, frozen=True, kw_only=True):
    """Used is what has been decided for clusters, whether it runs yet or not."""

    overall: Amounts = {}
    overall_used: Amounts = {}
    aggregated_status: tuple[ClusterQuotaStatus, ...] = ()


class FederatedResourceQuota(Kind, frozen=True, kw_only=True):
    kind: str = "FederatedResourceQuota"
    spec: FederatedResourceQuotaSpec
    status: FederatedResourceQuotaStatus = FederatedResourceQuotaStatus()


class GroupQuota(Struct, frozen=True, kw_only=True):
    """What may be in the clusters of a group: of its namespaces, or of all if it has none."""

    hard: StatedAmounts

    @property
    def limits(self) -> Amounts:
        return _written(self.hard)


class GroupQuotaStatus(Struct, frozen=True, kw_only=True):
    """What is enforced, and what is decided for the group's clusters."""

    hard: Amounts = {}
    used: Amounts = {}
