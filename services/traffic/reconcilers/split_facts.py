"""Telling that traffic is shared otherwise than before."""

from datetime import datetime

from services.traffic.core.plans import splits_of
from shared.api.traffic_policy import TrafficPolicy, TrafficStatus
from shared.bus.port import Bus, Message
from shared.clock import format_micro_time
from shared.events.envelope import fact_envelope
from shared.events.subjects import fact
from shared.events.traffic import NOUN, PAST_TENSE, TYPE, SplitChanged, encode_traffic


async def announce(bus: Bus, policy: TrafficPolicy, status: TrafficStatus, now: datetime) -> None:
    """Publish the fact, after the status that says so was committed; none where nothing moved."""
    before, after = splits_of(policy.status), splits_of(status)
    if before == after:
        return
    metadata = policy.metadata
    said = SplitChanged(
        namespace=metadata.namespace,
        policy=metadata.name,
        service=policy.spec.service,
        uid=metadata.uid,
        before=before,
        after=after,
        reasons={one.name: one.reason for split in status.splits[:1] for one in split.clusters},
        shift=status.shift.message if status.shift is not None else "",
        occurred_at=format_micro_time(now),
    )
    identity = f"{metadata.uid}/{status.observed_time}"
    envelope = fact_envelope(TYPE, service="traffic", identity=identity, at=now)
    await bus.publish(Message(fact_subject(policy), encode_traffic(said), envelope.headers()))


def fact_subject(policy: TrafficPolicy) -> str:
    return fact(NOUN, PAST_TENSE, f"{policy.metadata.namespace}/{policy.metadata.name}")
