"""Telling the author of an override policy whether it could be applied.

What failed is known from rendering, so it is kept in memory and found again after a restart. The
condition OverridesApplied is written a moment after the last change, not once per object.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import msgspec

from services.propagator.core.overrides import OverrideFailure
from shared.api.conditions import find_condition, with_condition
from shared.api.meta import Condition, read, section
from shared.api.override import OVERRIDES_APPLIED, OverridePolicy
from shared.apimachinery.manifest import ObjectKey
from shared.bus.port import Bus, Message
from shared.clock import Clock, format_micro_time, format_time
from shared.controller.result import Done, Result
from shared.errors import StoreUnavailable
from shared.events import subjects
from shared.events.envelope import fact_envelope
from shared.events.work_facts import OverrideFailed, fact_key
from shared.store.port import ObjectStore

SETTLE = timedelta(milliseconds=500)
_NAMED_MAX = 5
_FACTS_MAX = 1_000


class OverrideFailures:
    """What failed where; `wake(policy)` is called when that changes."""

    def __init__(self, bus: Bus, clock: Clock, wake: Callable[[ObjectKey], None]) -> None:
        self._bus = bus
        self._clock = clock
        self._wake = wake
        self._by_template: dict[ObjectKey, dict[str, OverrideFailure]] = {}
        self._by_policy: dict[ObjectKey, dict[tuple[ObjectKey, str], str]] = {}
        self._facts: asyncio.Queue[tuple[ObjectKey, int, str, OverrideFailure]] = asyncio.Queue(
            _FACTS_MAX
        )

    def of(self, policy: ObjectKey) -> dict[tuple[ObjectKey, str], str]:
        """(template, cluster) -> message."""
        return self._by_policy.get(policy) or {}

    def report(
        self, template: ObjectKey, generation: int, failures: dict[str, OverrideFailure]
    ) -> None:
        before = self._by_template.get(template) or {}
        if before == failures:
            return
        for cluster, old in before.items():
            self._by_policy[old.policy].pop((template, cluster), None)
            self._wake(old.policy)
        for cluster, new in failures.items():
            self._by_policy.setdefault(new.policy, {})[template, cluster] = new.message
            self._wake(new.policy)
            if before.get(cluster) != new and not self._facts.full():
                self._facts.put_nowait((template, generation, cluster, new))
        if failures:
            self._by_template[template] = dict(failures)
        else:
            self._by_template.pop(template, None)

    async def publish(self) -> None:
        """Publish facts about failures until cancelled; one that cannot be is dropped."""
        while True:
            template, generation, cluster, failure = await self._facts.get()
            fact = OverrideFailed(
                cluster=cluster,
                policy=failure.policy.name,
                policy_namespace=failure.policy.namespace,
                resource=str(template.group_resource),
                namespace=template.namespace,
                name=template.name,
                template_generation=generation,
                message=failure.message,
                occurred_at=format_micro_time(self._clock.now()),
            )
            key = fact_key(cluster, template)
            envelope = fact_envelope(
                "override.failed.v1",
                service="propagator",
                identity=f"{key}/{generation}/{failure.policy}/{failure.message}",
                at=self._clock.now(),
            )
            subject = subjects.fact("override", "failed", key)
            try:
                await self._bus.publish(
                    Message(subject, msgspec.json.encode(fact), envelope.headers())
                )
            except StoreUnavailable:
                # The condition on the policy tells the same, and is repeated until it is written.
                continue


class OverrideStatusReconciler:
    """Writes the condition OverridesApplied; keyed by the policy's key."""

    def __init__(self, store: ObjectStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self.failures: OverrideFailures | None = None

    async def reconcile(self, key: ObjectKey) -> Result:
        assert self.failures is not None, "wired before it runs"
        stored = await self._store.get(key)
        if stored is None:
            return Done()
        policy = read(stored.manifest, OverridePolicy)
        new = _condition(self.failures.of(key), policy.metadata.generation)
        old = find_condition(policy.status.conditions, OVERRIDES_APPLIED)
        if old is not None and _same(old, new):
            return Done()
        conditions = with_condition(
            policy.status.conditions, new, now=format_time(self._clock.now())
        )
        manifest = dict(stored.manifest)
        manifest["status"] = {
            **(manifest.get("status") or {}),
            "observedGeneration": policy.metadata.generation,
            "conditions": section(conditions),
        }
        await self._store.update(key, manifest, expected=stored.revision)
        return Done()


def _same(old: Condition, new: Condition) -> bool:
    return (old.status, old.reason, old.message, old.observed_generation) == (
        new.status,
        new.reason,
        new.message,
        new.observed_generation,
    )


def _condition(failures: dict[tuple[ObjectKey, str], str], generation: int) -> Condition:
    if not failures:
        return Condition(
            type=OVERRIDES_APPLIED, status="True", reason="Applied", observed_generation=generation
        )
    named = sorted(
        f"{template} in {cluster}: {message}" for (template, cluster), message in failures.items()
    )
    more = f"; and {len(named) - _NAMED_MAX} more" if len(named) > _NAMED_MAX else ""
    return Condition(
        type=OVERRIDES_APPLIED,
        status="False",
        reason="OverrideFailed",
        message="; ".join(named[:_NAMED_MAX]) + more,
        observed_generation=generation,
    )
