"""Telling other systems what became of exports, once what they show was written."""

from collections.abc import Iterable, Mapping, Sequence

from services.traffic.core.catalogue import ServiceName
from services.traffic.core.folding import Folded
from shared.api.conditions import find_condition
from shared.api.meta import Condition
from shared.api.multicluster import CONFLICT, VALID
from shared.bus.port import Bus, Message
from shared.clock import Clock, format_micro_time
from shared.events.envelope import fact_envelope
from shared.events.service_facts import (
    ServiceConflicted,
    ServiceExportRefused,
    ServiceFact,
    ServiceImported,
    ServiceWithdrawn,
    encode_service_fact,
    subject_of,
    type_of,
)

_UNREADABLE = "Unreadable"
_MESSAGE_MAX = 1_000

Told = tuple[str, Sequence[Condition], Sequence[Condition]]
"""The cluster of an export, "" for the hub's; its conditions before and after."""


class ServiceFacts:
    def __init__(self, bus: Bus, clock: Clock) -> None:
        self._bus = bus
        self._clock = clock

    async def imports(self, folded: Folded, before: Sequence[str] | None) -> None:
        """*before* are the clusters that exported it, None where nobody knew it."""
        name, at = folded.name, format_micro_time(self._clock.now())
        if folded.service is None:
            if before is not None:
                gone = ServiceWithdrawn(namespace=name.namespace, name=name.name, occurred_at=at)
                await self._publish(gone)
            return
        clusters = tuple(folded.service.exporters)
        if before is None or tuple(before) != clusters:
            await self._publish(
                ServiceImported(
                    namespace=name.namespace,
                    name=name.name,
                    occurred_at=at,
                    import_type=folded.service.type,
                    clusters=clusters,
                )
            )

    async def unread(self, name: ServiceName, reasons: Mapping[str, str]) -> None:
        """By cluster, why something that was said of the service could not be taken in."""
        for cluster, why in reasons.items():
            await self._publish(
                ServiceExportRefused(
                    namespace=name.namespace,
                    name=name.name,
                    occurred_at=format_micro_time(self._clock.now()),
                    cluster=cluster,
                    reason=_UNREADABLE,
                    message=why[:_MESSAGE_MAX],
                )
            )

    async def exports(self, folded: Folded, told: Iterable[Told]) -> None:
        """What is new in the conditions of exports."""
        at, conflicted = format_micro_time(self._clock.now()), False
        for cluster, before, after in told:
            refused = _refusal(folded.name, cluster, before, after, at)
            if refused is not None:
                await self._publish(refused)
            conflicted = conflicted or _reasons(before) != _reasons(after)
        settled = folded.settled
        if conflicted and settled is not None:
            await self._publish(
                ServiceConflicted(
                    namespace=folded.name.namespace,
                    name=folded.name.name,
                    occurred_at=at,
                    clusters=tuple(sorted(settled.accepted)),
                    reasons=tuple(one.reason for one in settled.conflicts),
                    message="; ".join(one.message for one in settled.conflicts),
                )
            )

    async def _publish(self, fact: ServiceFact) -> None:
        identity = f"{fact.namespace}/{fact.name}/{fact.occurred_at}"
        envelope = fact_envelope(
            type_of(fact), service="traffic", identity=identity, at=self._clock.now()
        )
        message = Message(subject_of(fact), encode_service_fact(fact), envelope.headers())
        await self._bus.publish(message)


def _reasons(conditions: Sequence[Condition]) -> str:
    """Why it conflicts; empty where it does not."""
    found = find_condition(conditions, CONFLICT)
    return found.reason if found is not None and found.status == "True" else ""


def _refusal(
    name: ServiceName,
    cluster: str,
    before: Sequence[Condition],
    after: Sequence[Condition],
    at: str,
) -> ServiceExportRefused | None:
    old, new = find_condition(before, VALID), find_condition(after, VALID)
    if new is None or new.status == "True" or (old is not None and old.reason == new.reason):
        return None
    return ServiceExportRefused(
        namespace=name.namespace,
        name=name.name,
        occurred_at=at,
        cluster=cluster,
        reason=new.reason,
        message=new.message,
    )
