"""The policies there are, parsed once: which speak in a namespace, and what each would select."""

from collections.abc import Collection, Iterable, Iterator, Sequence

from services.scheduler.cache.reading import Bound
from services.scheduler.core.change.activation import LAZY, active_policy
from services.scheduler.core.change.gaining import follows, near_to
from services.scheduler.core.policies import (
    CLUSTER_WIDE,
    NAMESPACED,
    check_policy,
    match_policy,
    may_be_template,
    policy_key,
    reference_to,
)
from shared.api.binding import ObjectReference
from shared.api.meta import read
from shared.api.policy import PropagationPolicy
from shared.api.scoring import WorkloadName
from shared.apimachinery.managed_fields import last_written
from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.errors import InvalidObject
from shared.store.port import Change, ChangeType, Mirror, Scope

POLICIES = (NAMESPACED, CLUSTER_WIDE)

# After every time that is written.
_NOW = "9999"


class PolicyBook:
    """Told of each change by `take`; those of an older version that nobody can read are known."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self._read: dict[ObjectKey, PropagationPolicy] = {}
        self._unreadable: set[ObjectKey] = set()
        # Of those whose changes wait.
        self._written: dict[ObjectKey, str] = {}
        # Of those after which others move.
        self._near: dict[ObjectKey, frozenset[WorkloadName]] = {}

    def take(self, change: Change) -> tuple[PropagationPolicy | None, PropagationPolicy | None]:
        """Return the policy before and after; None where there is none that can be read."""
        key = change.stored.key
        before = self._read.pop(key, None)
        self._unreadable.discard(key)
        self._written.pop(key, None)
        self._near.pop(key, None)
        if change.type is ChangeType.DELETED:
            return before, None
        try:
            after = read(change.stored.manifest, PropagationPolicy)
            check_policy(after)
        except InvalidObject:
            self._unreadable.add(key)
            return before, None
        self._read[key] = after
        if near := near_to(after):
            self._near[key] = near
        if after.spec.activation_preference == LAZY:
            self._written[key] = last_written(change.stored.manifest)
        return before, after

    def __iter__(self) -> Iterator[ObjectKey]:
        """All of them, those that nobody can read too."""
        yield from self._read
        yield from self._unreadable

    def all(self) -> Collection[PropagationPolicy]:
        """Return those that can be read."""
        return self._read.values()

    def is_unreadable(self, policy: ObjectKey) -> bool:
        return policy in self._unreadable

    def active(
        self, policy: PropagationPolicy | None, bound: Bound | None, template: Manifest
    ) -> PropagationPolicy | None:
        """Return the rules that speak for *template* while *policy* may have to wait for it.

        One that is not stored, or not as it is here, is as if it were written now.
        """
        spec = bound.binding.spec if bound is not None and not bound.is_dismissed else None
        written = _NOW
        if policy is not None:
            key = policy_key(reference_to(policy))
            if self._read.get(key) is policy:
                written = self._written.get(key, "")
        return active_policy(policy, spec, template, written=written)

    def within(self, namespace: str) -> list[PropagationPolicy]:
        """Those that may speak for objects of the namespace."""
        return [
            policy
            for key, policy in self._read.items()
            if not key.namespace or key.namespace == namespace
        ]

    def following(self, signals: Collection[str]) -> Sequence[ObjectKey]:
        """Return those under which something may move when one of *signals* changes."""
        return [key for key, policy in self._read.items() if follows(policy, signals)]

    def near(self, workload: ObjectReference) -> Sequence[ObjectKey]:
        """Return those under which something may move when *workload* does."""
        if not self._near:
            return ()
        group, _, _ = workload.api_version.rpartition("/")
        return [
            key
            for key, named in self._near.items()
            if key.namespace in ("", workload.namespace)
            and any(
                (one.api_version.rpartition("/")[0], one.kind, one.name)
                == (group, workload.kind, workload.name)
                for one in named
            )
        ]

    def selected_by(self, policy: PropagationPolicy | None) -> Iterable[ObjectKey]:
        """Return the templates that *policy* would select, were it the only one."""
        if policy is None:
            return
        namespace = policy.metadata.namespace or None
        for stored in self._mirror.items(Scope(namespace=namespace)):
            if may_be_template(stored.key) and match_policy(policy, stored.glance()) is not None:
                yield stored.key
