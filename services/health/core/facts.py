"""The facts that follow from a member's status: what was last made of it, and on which evidence."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from services.health.core.cluster_status import FAILOVER_HELD, RECOVERED, RETURNING
from services.health.core.side_conditions import CREDENTIALS_EXPIRING
from services.health.core.taints import given_up_at
from shared.api.cluster import READY, UNREACHABLE_TAINT, Cluster, ClusterStatus
from shared.api.conditions import find_condition
from shared.apimachinery.taints import NO_EXECUTE
from shared.events.cluster import (
    ClusterBecameNotReady,
    ClusterBecameUnreachable,
    ClusterCredentialsExpiring,
    ClusterFailoverHeld,
    ClusterRecovered,
    ClusterRefusedCredentials,
    ClusterSuspected,
    ClusterTainted,
    ClusterVerdict,
    Observation,
    ObserverWord,
    Reach,
)

_OF_READY: dict[str, type[ClusterVerdict]] = {
    str(Reach.SUSPECT): ClusterSuspected,
    RETURNING: ClusterSuspected,
    str(Reach.NOT_READY): ClusterBecameNotReady,
    str(Reach.CREDENTIALS_REFUSED): ClusterRefusedCredentials,
    str(Reach.UNREACHABLE): ClusterBecameUnreachable,
    RECOVERED: ClusterRecovered,
}


class Due(NamedTuple):
    """A fact, what tells it from others of its kind, and since when it is true (RFC 3339)."""

    fact: ClusterVerdict
    identity: str
    since: str


def facts_of(
    cluster: Cluster, status: ClusterStatus, words: Sequence[Observation]
) -> Iterator[Due]:
    """Yield what there is to tell of *cluster* with *status*; the same again says the same."""
    evidence = evidence_of(words)
    ready = find_condition(status.conditions, READY)
    place = {
        "cluster": cluster.metadata.name,
        "region": cluster.spec.region,
        "provider": cluster.spec.provider,
    }
    if ready is not None and ready.last_transition_time and ready.reason in _OF_READY:
        since = ready.last_transition_time
        verdict = _OF_READY[ready.reason](
            **place, occurred_at=since, message=ready.message, evidence=evidence
        )
        if isinstance(verdict, ClusterBecameUnreachable):
            verdict = msgspec.structs.replace(verdict, tainted=bool(status.taints))
        yield Due(verdict, f"{cluster.metadata.uid}/{ready.reason}/{since}", since)
    expiring = find_condition(status.conditions, CREDENTIALS_EXPIRING)
    if expiring is not None and expiring.status == "True":
        ends = next((word.credentials_expire for word in words if word.credentials_expire), "")
        since = expiring.last_transition_time
        ending = ClusterCredentialsExpiring(
            **place, occurred_at=since, message=expiring.message, evidence=evidence, expires_at=ends
        )
        yield Due(ending, f"{cluster.metadata.uid}/expiring/{expiring.message}", since)
    held = find_condition(status.conditions, FAILOVER_HELD)
    if held is not None and given_up_at(status.taints) is None:
        since = held.last_transition_time
        waits = ClusterFailoverHeld(
            **place,
            occurred_at=since,
            reason=held.reason,
            message=held.message,
            evidence=evidence,
        )
        yield Due(waits, f"{cluster.metadata.uid}/held/{held.reason}/{since}", since)
    for taint in status.taints:
        if (taint.key, taint.effect) == (UNREACHABLE_TAINT, NO_EXECUTE) and taint.time_added:
            fact = ClusterTainted(
                **place,
                occurred_at=taint.time_added,
                message=ready.message if ready is not None else "",
                evidence=evidence,
            )
            identity = f"{cluster.metadata.uid}/tainted/{taint.time_added}"
            yield Due(fact, identity, taint.time_added)


def evidence_of(words: Sequence[Observation]) -> tuple[ObserverWord, ...]:
    return tuple(
        ObserverWord(
            observer=word.observer, region=word.region, reach=word.reach, message=word.message
        )
        for word in sorted(words, key=lambda one: one.observer)
    )
