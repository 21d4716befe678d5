"""Telling what a template refers to and nobody has at the hub; nothing waits for that here.

A while after the decision, for most of what is missing then is on its way.
"""

from datetime import timedelta

import msgspec

from services.scheduler.cache.federation import Federation
from services.scheduler.cache.reading import Bound
from services.scheduler.core.dependencies.dependents import in_words
from shared.api.binding import REFERENCES_FOUND
from shared.api.conditions import find_condition, with_condition
from shared.api.meta import Condition, section
from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.bus.port import Message, Publisher
from shared.clock import Clock, format_micro_time, format_time
from shared.controller.result import Again, Done, Result
from shared.events import subjects
from shared.events.envelope import fact_envelope
from shared.events.references import ReferenceMissed
from shared.store.port import ObjectStore

_NAMED_MAX = 5
LOOK_AGAIN = timedelta(seconds=30)


class ReferenceReconciler:
    """Keyed by the template; writes the condition ReferencesFound of its binding."""

    def __init__(
        self, store: ObjectStore, federation: Federation, publisher: Publisher, clock: Clock
    ) -> None:
        self._store = store
        self._federation = federation
        self._publisher = publisher
        self._clock = clock

    async def reconcile(self, key: ObjectKey) -> Result:
        stored, bound = self._store.mirror.get(key), self._federation.bound(key)
        if stored is None or bound is None or bound.is_leaving:
            return Done()
        missing = await self._missing(stored.glance(), bound)
        told = find_condition(bound.binding.status.conditions, REFERENCES_FOUND)
        if missing or (told is not None and told.status == "False"):
            condition = _condition(missing, bound.binding.metadata.generation)
            if told is None or (told.status, told.message) != (condition.status, condition.message):
                await self._write(bound, condition)
                if missing:
                    await self._tell(key, bound, missing, condition.message)
        return Again(LOOK_AGAIN) if missing else Done()

    async def _missing(self, template: Manifest, bound: Bound) -> list[str]:
        if bound.binding.spec.propagate_deps is False:
            # Who says so brings it there by other means.
            return []
        return [
            in_words(one)
            for one, key in self._federation.following.missing(template)
            # Not seeing it is not the same as its not being there.
            if key is None or await self._store.get(key) is None
        ]

    async def _write(self, bound: Bound, condition: Condition) -> None:
        stored = bound.stored
        now = format_time(self._clock.now())
        conditions = with_condition(bound.binding.status.conditions, condition, now=now)
        manifest = stored.glance()
        status = {**(manifest.get("status") or {}), "conditions": section(conditions)}
        await self._store.update(
            stored.key, {**manifest, "status": status}, expected=stored.revision
        )

    async def _tell(self, key: ObjectKey, bound: Bound, missing: list[str], message: str) -> None:
        now, about = self._clock.now(), bound.binding.spec.resource
        fact = ReferenceMissed(
            resource=str(key.group_resource),
            namespace=key.namespace,
            name=key.name,
            template_uid=about.uid,
            template_generation=about.generation,
            missing=tuple(missing),
            message=message,
            occurred_at=format_micro_time(now),
        )
        place = f"{key.group_resource}/{key.namespace}/{key.name}"
        identity = f"{place}/{about.uid}/{about.generation}/{message}"
        envelope = fact_envelope(
            "reference.missed.v1", service="scheduler", identity=identity, at=now
        )
        subject = subjects.fact("reference", "missed", place)
        await self._publisher.publish(
            Message(subject, msgspec.json.encode(fact), envelope.headers())
        )


def _condition(missing: list[str], generation: int) -> Condition:
    if not missing:
        return Condition(
            type=REFERENCES_FOUND, status="True", reason="Found", observed_generation=generation
        )
    more = f" and {len(missing) - _NAMED_MAX} more" if len(missing) > _NAMED_MAX else ""
    return Condition(
        type=REFERENCES_FOUND,
        status="False",
        reason="Missing",
        message=f"not at the hub, so that nothing brings it along: "
        f"{', '.join(missing[:_NAMED_MAX])}{more}; where a member has none of its own, pods wait",
        observed_generation=generation,
    )
