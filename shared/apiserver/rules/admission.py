"""Which of Hanse's own objects may be written: every kind with rules beyond its schema. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

import msgspec

from shared.api.cluster import Cluster
from shared.api.cluster_group import ClusterGroup
from shared.api.global_zone import GLOBAL_ZONES, GlobalZone
from shared.api.interpreter import ResourceInterpreter
from shared.api.meta import GROUP, read
from shared.api.override import OverridePolicy
from shared.api.policy import PropagationPolicy
from shared.api.quota import FederatedResourceQuota
from shared.api.rebalancer import WorkloadRebalancer
from shared.api.rollout import ResourceRollout
from shared.api.traffic_policy import TRAFFIC_POLICIES, TrafficPolicy
from shared.apimachinery.manifest import GroupResource, name_of
from shared.apimachinery.parts import section
from shared.apiserver.admission import Admission, Write
from shared.apiserver.rules.clusters import check_cluster, with_times
from shared.apiserver.rules.global_zones import check_global_zone
from shared.apiserver.rules.groups import check_group
from shared.apiserver.rules.interpreters import check_interpreter
from shared.apiserver.rules.overrides import check_override
from shared.apiserver.rules.policies import check_policy
from shared.apiserver.rules.quotas import check_quota
from shared.apiserver.rules.rebalancers import check_rebalancer
from shared.apiserver.rules.rollouts import check_rollout, never_staged
from shared.apiserver.rules.traffic import check_traffic_policy
from shared.apiserver.status_errors import forbidden
from shared.clock import Clock, format_time
from shared.errors import FieldError, InvalidObject

_NOT_RUN_HERE = (
    "spec.ephemeralContainers: no containers run here, and members are not told of these; "
    "debug the {kind} in the cluster that runs it"
)
_NEVER_STAGED = "spec.rollout: every {kind} goes to all its clusters at once"
AnyKind = TypeVar("AnyKind", bound=msgspec.Struct)


class KindAdmission(Generic[AnyKind]):
    """Reads an object as *struct* and refuses it with every fault that *check* finds."""

    def __init__(
        self, struct: type[AnyKind], check: Callable[[AnyKind], Sequence[FieldError]]
    ) -> None:
        self._struct = struct
        self._check = check

    def admit(self, write: Write) -> Sequence[str]:
        """What was stored before is not judged again while its spec stays as it is."""
        new = write.judged
        if new is None:
            return ()
        faults = self._check(read(new, self._struct))
        if faults:
            raise InvalidObject(f"{write.kind.gvk.kind} {name_of(new)} breaks its rules", faults)
        return ()


class ServicesWord:
    """For what services write past this door: others may delete it, and never write it.

    What is due is then decided anew.
    """

    def __init__(self, why: str) -> None:
        self._why = why

    def admit(self, write: Write) -> Sequence[str]:
        """Refuse whatever would change the contents, and say why."""
        if write.judged is None:
            return ()
        raise forbidden(write.kind.group_resource, name_of(write.judged), self._why)


class ClusterAdmission(KindAdmission[Cluster]):
    """Notes since when taints have things leave, for terms count from there."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(Cluster, check_cluster)
        self._clock = clock

    def admit(self, write: Write) -> Sequence[str]:
        """Date what is new; a taint that stays keeps its time, whoever writes it without one."""
        warnings = super().admit(write)
        if write.new is not None and write.judged is not None:
            spec = section(write.new, "spec")
            before = section(write.old, "spec").get("taints") if write.old is not None else None
            dated = with_times(
                spec.get("taints") or (), before or (), format_time(self._clock.now())
            )
            if dated:
                write.new["spec"] = {**spec, "taints": dated}
        return warnings


class PolicyAdmission(KindAdmission[PropagationPolicy]):
    """Says too which of a policy's objects its stages do not hold for."""

    def admit(self, write: Write) -> Sequence[str]:
        """Warn whoever selects what goes everywhere at once."""
        warnings = list(super().admit(write))
        spec = read(write.judged, PropagationPolicy).spec if write.judged is not None else None
        if spec is not None and spec.rollout is not None:
            kinds = never_staged(spec.resource_selectors)
            warnings += [_NEVER_STAGED.format(kind=kind) for kind in kinds]
        return warnings


class RolloutAdmission(KindAdmission[ResourceRollout]):
    """A rollout begins with its template; people may say how it goes on."""

    def admit(self, write: Write) -> Sequence[str]:
        """Refuse to create one; deleting one has it begin anew."""
        if write.old is None and write.new is not None:
            raise forbidden(
                write.kind.group_resource,
                name_of(write.new),
                "a rollout begins by itself where a policy with spec.rollout selects an object",
            )
        return super().admit(write)


class DebugAdmission:
    """Says where debugging goes on: a template has no containers that run."""

    def admit(self, write: Write) -> Sequence[str]:
        """Warn whoever adds an ephemeral container."""
        if write.old is None or write.new is None:
            return ()
        both = (write.old, write.new)
        before, after = (section(one, "spec").get("ephemeralContainers") for one in both)
        return () if before == after else (_NOT_RUN_HERE.format(kind=write.kind.gvk.kind),)


def hanse_admission(clock: Clock) -> Mapping[GroupResource, Admission]:
    """Return the rules by resource."""
    policies: Admission = PolicyAdmission(PropagationPolicy, check_policy)
    overrides: Admission = KindAdmission(OverridePolicy, check_override)
    clusters: Admission = ClusterAdmission(clock)
    groups: Admission = KindAdmission(ClusterGroup, check_group)
    interpreters: Admission = KindAdmission(ResourceInterpreter, check_interpreter)
    quotas: Admission = KindAdmission(FederatedResourceQuota, check_quota)
    rebalancers: Admission = KindAdmission(WorkloadRebalancer, check_rebalancer)
    rollouts: Admission = RolloutAdmission(ResourceRollout, check_rollout)
    records: Admission = ServicesWord("a revision is a record, which nobody changes")
    decisions: Admission = ServicesWord(
        "a binding is what the scheduler decides: change the policy, or the template"
    )
    traffic: Admission = KindAdmission(TrafficPolicy, check_traffic_policy)
    zones: Admission = KindAdmission(GlobalZone, check_global_zone)
    debugging: Admission = DebugAdmission()
    return {
        GroupResource("", "pods"): debugging,
        GroupResource(GROUP, "propagationpolicies"): policies,
        GroupResource(GROUP, "clusterpropagationpolicies"): policies,
        GroupResource(GROUP, "overridepolicies"): overrides,
        GroupResource(GROUP, "clusteroverridepolicies"): overrides,
        GroupResource(GROUP, "clusters"): clusters,
        GroupResource(GROUP, "clustergroups"): groups,
        GroupResource(GROUP, "resourceinterpreters"): interpreters,
        GroupResource(GROUP, TRAFFIC_POLICIES): traffic,
        GroupResource(GROUP, GLOBAL_ZONES): zones,
        GroupResource(GROUP, "federatedresourcequotas"): quotas,
        GroupResource(GROUP, "workloadrebalancers"): rebalancers,
        GroupResource(GROUP, "resourcerollouts"): rollouts,
        GroupResource(GROUP, "clusterresourcerollouts"): rollouts,
        GroupResource(GROUP, "resourcerevisions"): records,
        GroupResource(GROUP, "clusterresourcerevisions"): records,
        GroupResource(GROUP, "resourcebindings"): decisions,
        GroupResource(GROUP, "clusterresourcebindings"): decisions,
    }
