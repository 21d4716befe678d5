"""One thing to be placed: what it asks for, the rules, and where it is now."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from services.scheduler.core.caps import NO_CAPS, Caps, tighter
from services.scheduler.core.circumstances import Circumstances
from services.scheduler.core.opinions import NOBODY_ASKED, Opinions
from services.scheduler.core.signals.origins import Origins
from services.scheduler.core.signals.values import NO_SIGNALS, Signals
from shared.api.binding import (
    ApplicationFailure,
    ClusterReport,
    Eviction,
    TargetCluster,
    is_built_in,
)
from shared.api.cluster import NOT_READY_TAINT, UNREACHABLE_TAINT
from shared.api.failover import Failover
from shared.api.placement import Placement, Toleration
from shared.apimachinery.manifest import GroupVersionKind, ObjectKey
from shared.apimachinery.taints import NO_EXECUTE
from shared.interpreter.replicas import ReplicaDemand, can_be_stopped

_WITH_PODS = frozenset({"Pod", "DaemonSet", "Job", "CronJob"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """Where the other workloads are that the placement's `workloadAffinity` speaks of.

    None: it speaks of none that is placed. What is placed itself heeds only those before it in
    the order of keys (the `elder_`), lest two of them step out of each other's way for ever.
    """

    friends: frozenset[str] | None = None
    elder_friends: frozenset[str] | None = None
    foes: frozenset[str] = frozenset()
    elder_foes: frozenset[str] = frozenset()


NOBODY = Company()


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """`demand` None is a kind without replicas. `tolerations` are all that count, defaults too.

    `current`, `evictions`, `previous_replicas` and `affinity_name` are what the last decision
    said, as do `failures`; `reports` is what the members have said since. `company` is where
    others are. `failing`: the clusters it leaves now since it is not healthy there, and why.
    `suspended`: nothing is to be decided now. `signals`, `origins` and `opinions` are there where
    the placement speaks of any, `circumstances` where anything bears on it beside its policy and
    the fleet.
    """

    key: ObjectKey
    gvk: GroupVersionKind
    demand: ReplicaDemand | None = None
    placement: Placement = field(default_factory=Placement)
    tolerations: tuple[Toleration, ...] = ()
    failover: Failover = field(default_factory=Failover)
    current: tuple[TargetCluster, ...] = ()
    evictions: tuple[Eviction, ...] = ()
    reports: tuple[ClusterReport, ...] = ()
    previous_replicas: int | None = None
    affinity_name: str = ""
    failures: tuple[ApplicationFailure, ...] = ()
    failing: Mapping[str, str] = field(default_factory=dict)
    company: Company = NOBODY
    suspended: bool = False
    signals: Signals = NO_SIGNALS
    origins: Origins = field(default_factory=dict)
    opinions: Opinions = NOBODY_ASKED
    circumstances: Circumstances | None = None

    @property
    def caps(self) -> Caps:
        """So many replicas at most in these clusters, whatever the policy says."""
        return self.circumstances.caps if self.circumstances is not None else NO_CAPS

    def under(self, caps: Caps) -> "Workload":
        """Return it under further caps."""
        about = self.circumstances
        assert about is not None, "caps are circumstances"
        return replace(self, circumstances=replace(about, caps=tighter(caps, about.caps)))

    @property
    def goal(self) -> Mapping[str, int]:
        """The shares that it is on its way to, where it was placed anew."""
        return self.circumstances.goal if self.circumstances is not None else {}

    @property
    def stoppable(self) -> bool:
        """Whether a member can stop it by taking its replicas."""
        return can_be_stopped(self.gvk.group, self.gvk.kind)

    @property
    def fenced(self) -> bool:
        """Whether it must not run in two members; built-in kinds without pods run nowhere."""
        if self.failover.fencing == "None":
            return False
        runs_pods = self.stoppable or self.gvk.kind in _WITH_PODS
        return runs_pods or not is_built_in(self.gvk.group)

    @property
    def scope(self) -> str:
        """The namespace whose bindings to groups of clusters count; "" for none."""
        own_namespace = not self.key.namespace and self.gvk.kind == "Namespace"
        return self.key.name if own_namespace else self.key.namespace

    @property
    def divided(self) -> bool:
        """Whether each member gets a share of the replicas; else each gets the whole."""
        return self.demand is not None and self.placement.is_divided

    def order(self, names: Sequence[str]) -> list[str]:
        """An order of members that is this workload's own, so that ties spread over the fleet."""
        seed = zlib.crc32(str(self.key).encode())
        # By name first, which mostly they are: the second order keeps it where the number is equal.
        found = sorted(names)
        number = {name: zlib.crc32(name.encode(), seed) for name in found}
        found.sort(key=number.__getitem__)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Grace:
    """How long work stays on a tainted member whose taint its policy does not speak of.

    In whole seconds, as tolerations have it. A silent member was asked several times before it was
    tainted; one that says it is not ready most likely runs what it runs.
    """

    unreachable: timedelta
    not_ready: timedelta


def default_tolerations(placement: Placement, grace: Grace) -> tuple[Toleration, ...]:
    """Return the placement's tolerations and Hanse's own for a silent or failing member.

    As Kubernetes' DefaultTolerationSeconds does for nodes: only where the policy says nothing
    of that taint itself.
    """
    stated = placement.cluster_tolerations
    own = tuple(
        Toleration(
            key=key,
            operator="Exists",
            effect="NoExecute",
            toleration_seconds=int(time.total_seconds()),
        )
        for key, time in (
            (UNREACHABLE_TAINT, grace.unreachable),
            (NOT_READY_TAINT, grace.not_ready),
        )
        if not any(_speaks_of(one, key) for one in stated)
    )
    return stated + own


def _speaks_of(toleration: Toleration, key: str) -> bool:
    return toleration.key in ("", key) and toleration.effect in ("", NO_EXECUTE)
