"""`WorkloadRebalancer`: some workloads placed once more, as if they were new.

Karmada's kind (`apps.karmada.io/v1alpha1`) with its fields and their meaning. Each workload is
placed anew once; what was Successful stays so when it is no longer named.
"""

from typing import Annotated, Literal

from msgspec import Meta

from shared.api.meta import Kind, Struct


class WorkloadReference(Struct, frozen=True, kw_only=True):
    """One template; without a namespace it is one of the cluster scope."""

    api_version: str
    kind: str
    name: str
    namespace: str = ""


class WorkloadRebalancerSpec(Struct, frozen=True, kw_only=True):
    """Which workloads, and how long this is kept afterwards."""

    workloads: tuple[WorkloadReference, ...]
    ttl_seconds_after_finished: Annotated[
        int | None,
        Meta(description="It is deleted so many seconds after it finished. Left out, it stays."),
    ] = None


class ObservedWorkload(Struct, frozen=True, kw_only=True):
    """What became of one; no result while it is under way. `reason` says why it Failed.

    `NotFound` is how it was said before it was said in Karmada's word.
    """

    workload: WorkloadReference
    result: Literal["", "Successful", "Failed"] = ""
    reason: Literal["", "ReferencedBindingNotFound", "NotFound"] = ""


class WorkloadRebalancerStatus(Struct, frozen=True, kw_only=True):
    """`finishTime` is when the last of them had its result, RFC 3339."""

    observed_workloads: tuple[ObservedWorkload, ...] = ()
    observed_generation: int = 0
    finish_time: str | None = None


class WorkloadRebalancer(Kind, frozen=True, kw_only=True):
    kind: str = "WorkloadRebalancer"
    spec: WorkloadRebalancerSpec
    status: WorkloadRebalancerStatus = WorkloadRebalancerStatus()
