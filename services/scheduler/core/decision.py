"""What the scheduler answers: where it goes, or why it cannot; for people and for programs."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Literal

from services.scheduler.core.by_reason import ByReason
from shared.api.binding import ApplicationFailure, Eviction, Preempting, TargetCluster
from shared.api.ceilings import Ceiling

_MESSAGE_MAX = 1_000
_NAMED_MAX = 8


class RejectionCode(StrEnum):
    """Why a member does not take part in a decision."""

    UNREADABLE = "Unreadable"
    NOT_JOINED = "NotJoined"
    LEAVING = "Leaving"
    NOT_READY = "NotReady"
    NAMESPACE_SCOPE = "NamespaceScope"
    CLUSTER_AFFINITY = "ClusterAffinity"
    WORKLOAD_AFFINITY = "WorkloadAffinity"
    WORKLOAD_ANTI_AFFINITY = "WorkloadAntiAffinity"
    TAINT_TOLERATION = "TaintToleration"
    APPLICATION_UNHEALTHY = "ApplicationUnhealthy"
    UNSCHEDULABLE_PODS = "UnschedulablePods"
    API_ENABLEMENT = "ApiEnablement"
    PLUGIN = "Plugin"
    PLUGIN_SILENT = "PluginSilent"
    SPREAD_CONSTRAINT = "SpreadConstraint"
    NO_WEIGHT = "NoWeight"
    CAPACITY_UNKNOWN = "CapacityUnknown"
    NO_ROOM = "NoRoom"
    QUOTA = "ResourceQuota"
    QUOTA_EXCEEDED = "QuotaExceeded"
    PREEMPTED = "Preempted"
    REPLICA_LIMIT = "ReplicaLimit"
    NO_REPLICA_LEFT = "NoReplicaLeft"


@dataclass(frozen=True, slots=True)
class Rejection:
    """A code for programs and a clause for people, without the cluster's name."""

    code: RejectionCode
    message: str


Rejections = Mapping[str, Rejection]
Reason = Literal[
    "NoClusterFit",
    "Unschedulable",
    "QuotaExceeded",
    "Preempted",
    "Suspended",
    "InvalidTemplate",
    "InvalidPolicy",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduled:
    """Where it shall be. `wake_after`: when time alone may change the answer.

    `affinity_name` is the group of clusters chosen, `passed_over` why not those before it.
    """

    affinity_name: str = ""
    passed_over: Mapping[str, str] = field(default_factory=dict)
    clusters: tuple[TargetCluster, ...]
    desired: Mapping[str, int | None] = field(default_factory=dict)
    """The shares that it is on its way to; None: the whole."""
    evictions: tuple[Eviction, ...] = ()
    failures: tuple[ApplicationFailure, ...] = ()
    ceilings: tuple[Ceiling, ...] = ()
    preempting: tuple[Preempting, ...] = ()
    goal: Mapping[str, int] = field(default_factory=dict)
    """The shares that it is on its way to, where it was placed anew."""
    rejections: Rejections = field(default_factory=dict)
    wake_after: timedelta | None = None
    needed_by: tuple[str, ...] = ()
    """Those for whose sake it is there: bindings by name."""
    notes: tuple[str, ...] = ()
    """What else has led to it, in clauses."""
    waiting: Mapping[str, str] = field(default_factory=dict)
    """Members that must be known to have stopped first, and why they are not."""
    stopping: bool = False
    """Some of them have been asked to: it will be elsewhere after that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unschedulable:
    """It does not fit. `clusters` and `evictions` are what it keeps: what runs is not removed.

    `affinity_name` is the group of clusters that it keeps to.
    """

    reason: Reason
    message: str
    affinity_name: str = ""
    clusters: tuple[TargetCluster, ...] = ()
    evictions: tuple[Eviction, ...] = ()
    failures: tuple[ApplicationFailure, ...] = ()
    ceilings: tuple[Ceiling, ...] = ()
    preempting: tuple[Preempting, ...] = ()
    goal: Mapping[str, int] = field(default_factory=dict)
    rejections: Rejections = field(default_factory=dict)
    wake_after: timedelta | None = None
    notes: tuple[str, ...] = ()
    waiting: Mapping[str, str] = field(default_factory=dict)


Decision = Scheduled | Unschedulable


def explain(decision: Decision) -> str:
    """Return one short text for the condition Scheduled."""
    if isinstance(decision, Unschedulable):
        parts, why = [decision.message], ""
        if decision.clusters:
            parts.append(f"it stays in {_targets(decision.clusters)}")
    else:
        parts, why = [f"placed in {_targets(decision.clusters)}{_group(decision)}"], "not in "
        if decision.needed_by:
            parts.append(f"needed by {some(decision.needed_by)}")
    parts += decision.notes
    if decision.evictions:
        leaving = (f"{one.cluster} ({one.reason})" for one in decision.evictions)
        parts.append(f"leaving {some(leaving)}")
    if decision.waiting:
        waiting = (f"{name}: {what}" for name, what in decision.waiting.items())
        parts.append(f"waits for {some(waiting)}")
    if decision.rejections:
        parts.append(why + describe_rejections(decision.rejections))
    text = "; ".join(parts)
    return text if len(text) <= _MESSAGE_MAX else text[: _MESSAGE_MAX - 3] + "..."


def _group(decision: Scheduled) -> str:
    if not decision.affinity_name:
        return ""
    passed = "".join(f"; not in group {name}: {why}" for name, why in decision.passed_over.items())
    return f" by group {decision.affinity_name}{passed}"


def describe_rejections(rejections: Rejections) -> str:
    """Group clusters by the same reason: `us-1, us-2: it is not ready`."""
    if isinstance(rejections, ByReason):
        sets: dict[str, int] = {}
        for why, mask in rejections.groups:
            sets[why.message] = sets.get(why.message, 0) | mask
        first = rejections.roll.first
        return "; ".join(
            f"{_named(first(mask, _NAMED_MAX), mask.bit_count())}: {message}"
            for message, mask in sets.items()
        )
    # Of thousands only a few are named, so they are counted first and looked for then.
    messages = [rejection.message for rejection in rejections.values()]
    counts = Counter(messages)
    shown: dict[str, list[str]] = {message: [] for message in counts}
    missing = {message: min(count, _NAMED_MAX) for message, count in counts.items()}
    for name, message in zip(rejections, messages, strict=True):
        if message in missing:
            shown[message].append(name)
            missing[message] -= 1
            if not missing[message]:
                del missing[message]
                if not missing:
                    break
    return "; ".join(
        f"{_named(names, counts[message])}: {message}" for message, names in shown.items()
    )


def _targets(clusters: Sequence[TargetCluster]) -> str:
    shown = [
        one.name if one.replicas is None else f"{one.name} ({one.replicas})"
        for one in clusters[:_NAMED_MAX]
    ]
    return _named(shown, len(clusters)) or "no cluster"


def some(names: Iterable[str]) -> str:
    """Name the first of *names*, and say how many more there are."""
    found = list(names)
    return _named(found[:_NAMED_MAX], len(found))


def _named(shown: Sequence[str], count: int) -> str:
    text = ", ".join(shown)
    return text if count <= len(shown) else f"{text} and {count - len(shown)} more"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one decision says of one member; `code` is "" and `message` empty for who takes part."""

    cluster: str
    replicas: int | None = None
    chosen: bool = False
    leaving: bool = False
    code: str = ""
    message: str = ""


def verdicts_of(decision: Decision) -> tuple[Verdict, ...]:
    """Return the verdict on every member that the decision looked at, by name."""
    leaving = {one.cluster for one in decision.evictions}
    found = {
        name: Verdict(name, leaving=name in leaving, code=why.code, message=why.message)
        for name, why in decision.rejections.items()
    }
    for one in decision.clusters:
        found[one.name] = Verdict(one.name, one.replicas, chosen=True)
    return tuple(found[name] for name in sorted(found))
