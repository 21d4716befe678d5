"""Newcomers that are to be near a workload wait for it, where it is about to be placed itself.

What comes in one go comes in any order, and nothing that is placed moves for a latency. Who waits
does so for a few seconds at most: two may want to be near one another.
"""

from collections.abc import Iterator

from services.scheduler.cache.federation import Federation
from services.scheduler.cache.reading import Bound
from services.scheduler.core.policies import is_template, select_policy
from services.scheduler.core.signals.origins import workloads_named
from shared.api.policy import PropagationPolicy
from shared.api.scoring import WorkloadName
from shared.apimachinery.manifest import GroupVersionKind, ObjectKey, namespace_of
from shared.clock import Clock
from shared.store.port import Mirror, Scope

_PATIENCE_SECONDS = 5.0


class OriginWait:
    """Asked of each template that is decided."""

    def __init__(self, mirror: Mirror, federation: Federation, clock: Clock) -> None:
        self._mirror = mirror
        self._federation = federation
        self._clock = clock
        self._until: dict[ObjectKey, float] = {}

    def holds_back(self, key: ObjectKey, policy: PropagationPolicy, bound: Bound | None) -> bool:
        """Whether what it is to be near has no place yet, and will have one soon."""
        named = tuple(workloads_named(policy.spec.placement))
        if not named or bound is not None:
            return False
        now = self._clock.monotonic()
        self._until = {one: until for one, until in self._until.items() if until > now - 60}
        if not any(True for one in named for _ in self._unplaced(key.namespace, one)):
            return False
        return now < self._until.setdefault(key, now + _PATIENCE_SECONDS)

    def _unplaced(self, namespace: str, workload: WorkloadName) -> Iterator[ObjectKey]:
        """Yield the template of *workload* where a policy selects it and it is not bound yet."""
        gvk = GroupVersionKind.parse(workload.api_version, workload.kind)
        for stored in self._mirror.items(Scope(gvk.group, namespace=namespace)):
            if stored.key.name != workload.name or self._federation.is_bound(stored.key):
                continue
            template = stored.glance()
            if template.get("kind") != workload.kind or not is_template(stored.key, template):
                continue
            policies = self._federation.policies.within(namespace_of(template))
            if select_policy(template, policies) is not None:
                yield stored.key
