"""The policies there are, parsed once: which speak in a namespace, and what each would select."""

from collections.abc import Collection, Iterable, Iterator, Sequence

from services.scheduler.core.gaining import follows
from services.scheduler.core.policies import (
    CLUSTER_WIDE,
    NAMESPACED,
    check_policy,
    match_policy,
    may_be_template,
)
from shared.api.meta import read
from shared.api.policy import PropagationPolicy
from shared.apimachinery.manifest import ObjectKey
from shared.errors import InvalidObject
from shared.store.port import Change, ChangeType, Mirror, Scope

POLICIES = (NAMESPACED, CLUSTER_WIDE)


class PolicyBook:
    """Told of each change by `take`; those of an older version that nobody can read are known."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self._read: dict[ObjectKey, PropagationPolicy] = {}
        self._unreadable: set[ObjectKey] = set()

    def take(self, change: Change) -> tuple[PropagationPolicy | None, PropagationPolicy | None]:
        """Return the policy before and after; None where there is none that can be read."""
        key = change.stored.key
        before = self._read.pop(key, None)
        self._unreadable.discard(key)
        if change.type is ChangeType.DELETED:
            return before, None
        try:
            after = read(change.stored.manifest, PropagationPolicy)
            check_policy(after)
        except InvalidObject:
            self._unreadable.add(key)
            return before, None
        self._read[key] = after
        return before, after

    def __iter__(self) -> Iterator[ObjectKey]:
        """All of them, those that nobody can read too."""
        yield from self._read
        yield from self._unreadable

    def is_unreadable(self, policy: ObjectKey) -> bool:
        return policy in self._unreadable

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

    def selected_by(self, policy: PropagationPolicy | None) -> Iterable[ObjectKey]:
        """Return the templates that *policy* would select, were it the only one."""
        if policy is None:
            return
        namespace = policy.metadata.namespace or None
        for stored in self._mirror.items(Scope(namespace=namespace)):
            if may_be_template(stored.key) and match_policy(policy, stored.glance()) is not None:
                yield stored.key
