"""Telling others how a rollout goes, after that was committed and once for each fact.

A crash between the commit and the telling is repaired by the first look of the next process: what
happened lately is told again, under the same id, so that a repeat is no second event.
"""

from datetime import timedelta

from services.propagator.core.rollout.facts import tellings_of
from shared.api.binding import ObjectReference
from shared.api.rollout import ResourceRollout
from shared.apimachinery.manifest import ObjectKey
from shared.bus.port import Message, Publisher
from shared.clock import Clock, parse_time
from shared.events import subjects
from shared.events.envelope import fact_envelope
from shared.events.rollout import NOUN, encode_rollout_fact, past_tense_of, type_of

_LATELY = timedelta(minutes=10)


class RolloutAnnouncements:
    """Remembers what this process has told, by template."""

    def __init__(self, publisher: Publisher, clock: Clock) -> None:
        self._publisher = publisher
        self._clock = clock
        self._told: dict[ObjectKey, set[str]] = {}

    async def tell(self, rollout: ResourceRollout, resource: ObjectReference) -> None:
        """Publish every fact of the revision under way that was not told yet."""
        key = resource.key
        told = self._told.get(key)
        tellings = tellings_of(rollout.status, resource, rollout.metadata.uid)
        news = [one for one in tellings if told is None or one.identity not in told]
        for one in news:
            if told is None and not self._is_recent(one.fact.occurred_at):
                continue
            kind, now = type_of(one.fact), self._clock.now()
            envelope = fact_envelope(kind, service="propagator", identity=one.identity, at=now)
            name = f"{key.group_resource}/{key.namespace}/{key.name}"
            subject = subjects.fact(NOUN, past_tense_of(one.fact), name)
            body = encode_rollout_fact(one.fact)
            await self._publisher.publish(Message(subject, body, envelope.headers()))
        if news or told is None:
            self._told[key] = {one.identity for one in tellings}

    def forget(self, template: ObjectKey) -> None:
        self._told.pop(template, None)

    def _is_recent(self, moment: str) -> bool:
        try:
            return self._clock.now() - parse_time(moment) < _LATELY
        except ValueError:
            return False
