"""Telling of faults of ours: a template that brings one out rests for a while, and says so.

Its binding may not be there, or be what brings it out: so it is told by a fact, which people see
among the Events of the template.
"""

from contextlib import suppress
from datetime import timedelta

from shared.apimachinery.manifest import ObjectKey, generation_of, uid_of
from shared.bus.port import Message, Publisher
from shared.clock import Clock, format_micro_time
from shared.controller.result import Reconciler, Result
from shared.errors import HanseError, RetryableError
from shared.events import subjects
from shared.events.envelope import fact_envelope
from shared.events.placement import (
    NOUN,
    STALLED,
    STALLED_TYPE,
    PlacementStalled,
    encode_stalled,
)
from shared.store.port import Mirror


class ToldFaults:
    """Reconciles by *inner*; *rest* is how long a key is left alone after a fault."""

    def __init__(
        self,
        inner: Reconciler[ObjectKey],
        mirror: Mirror,
        publisher: Publisher,
        clock: Clock,
        *,
        rest: timedelta,
    ) -> None:
        self._inner = inner
        self._mirror = mirror
        self._publisher = publisher
        self._clock = clock
        self._rest = rest

    async def reconcile(self, key: ObjectKey) -> Result:
        try:
            return await self._inner.reconcile(key)
        except (HanseError, TimeoutError):
            raise
        except Exception as err:
            with suppress(RetryableError):
                await self._tell(key, err)
            raise

    async def _tell(self, key: ObjectKey, err: Exception) -> None:
        stored = self._mirror.get(key)
        template = stored.glance() if stored is not None else {}
        uid, generation = uid_of(template), generation_of(template)
        now, minutes = self._clock.now(), round(self._rest.total_seconds() / 60)
        fact = PlacementStalled(
            resource=str(key.group_resource),
            namespace=key.namespace,
            name=key.name,
            template_uid=uid,
            template_generation=generation,
            message=(
                f"a fault of the scheduler ({type(err).__name__}) keeps it from being decided; its"
                f" log says more. It is tried again when it changes, or in {minutes} minutes"
            ),
            occurred_at=format_micro_time(now),
        )
        place = f"{key.group_resource}/{key.namespace}/{key.name}"
        identity = f"{place}/{uid}/{generation}/{type(err).__name__}/{now.isoformat()}"
        envelope = fact_envelope(STALLED_TYPE, service="scheduler", identity=identity, at=now)
        subject = subjects.fact(NOUN, STALLED, place)
        await self._publisher.publish(Message(subject, encode_stalled(fact), envelope.headers()))
