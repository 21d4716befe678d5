"""Telling others what was decided, after it was committed and once for each decision.

A crash between the commit and the telling is repaired by the first look of the next process: what
was decided lately is told again, under the same id. The stream merges repeats for two minutes; of
what is older it is asked first.
"""

from datetime import timedelta

from services.scheduler.core.decision import Decision
from services.scheduler.core.telling.bindings import DECIDED_AT, fact_of
from services.scheduler.core.telling.reasons import Basis
from shared.api.binding import SCHEDULED, ResourceBinding
from shared.api.conditions import find_condition
from shared.api.meta import read_json
from shared.apimachinery.manifest import ObjectKey
from shared.bus.port import Bus, Message
from shared.bus.topology import EVENTS
from shared.clock import Clock, format_micro_time, parse_time
from shared.events import subjects
from shared.events.envelope import Envelope, fact_envelope
from shared.events.placement import DECIDED, NOUN, TYPE, encode_placement
from shared.store.port import Stored


def fact_subject(template: ObjectKey) -> str:
    """Where the decisions about a template are told."""
    parts = (template.group, template.resource, template.namespace, template.name)
    return subjects.fact(NOUN, DECIDED, "/".join(part for part in parts if part))


_LATELY = timedelta(minutes=10)
_MERGED = timedelta(seconds=100)
"""Surely less than the time in which the stream merges repeats."""


class Announcements:
    """Remembers what this process has told, by binding."""

    def __init__(self, bus: Bus, clock: Clock) -> None:
        self._bus = bus
        self._clock = clock
        self._told: dict[ObjectKey, str] = {}

    async def tell(self, stored: Stored, decision: Decision, basis: Basis) -> None:
        """Publish the decision that the binding carries, unless that has been done."""
        # Read anew: a manifest that is asked for would be kept.
        binding = read_json(stored.encoded, ResourceBinding)
        condition = find_condition(binding.status.conditions, SCHEDULED)
        assert condition is not None, "the scheduler writes it with every decision"
        metadata = binding.metadata
        identity = f"{metadata.uid}/{metadata.generation}/{condition.status}/{condition.reason}"
        told = self._told.get(stored.key)
        if told == identity:
            return
        decided_at = metadata.annotations.get(DECIDED_AT, "")
        age = self._age(decided_at)
        if told is not None or age < _LATELY:
            now = self._clock.now()
            at = _latest(decided_at, condition.last_transition_time) or format_micro_time(now)
            fact = fact_of(binding, decision, condition, basis, at)
            envelope = fact_envelope(TYPE, service="scheduler", identity=identity, at=now)
            subject = fact_subject(binding.spec.resource.key)
            if told is not None or age < _MERGED or not await self._is_told(subject, envelope):
                message = Message(subject, encode_placement(fact), envelope.headers())
                await self._bus.publish(message)
        self._told[stored.key] = identity

    def forget(self, binding: ObjectKey) -> None:
        self._told.pop(binding, None)

    async def _is_told(self, subject: str, envelope: Envelope) -> bool:
        last = await self._bus.last(EVENTS, subject)
        return last is not None and Envelope.read(last.headers).id == envelope.id

    def _age(self, decided_at: str) -> timedelta:
        try:
            return self._clock.now() - parse_time(decided_at)
        except ValueError:
            return timedelta.max


def _latest(decided_at: str, turned_at: str) -> str:
    """When the spec was decided, or when the outcome turned since with the spec as it is."""
    try:
        if turned_at and (not decided_at or parse_time(turned_at) > parse_time(decided_at)):
            return turned_at
    except ValueError:
        return decided_at
    return decided_at
