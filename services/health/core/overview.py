"""How the fleet is, as each observer sees it: for people."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from services.health.core.cluster_status import reach_of
from services.health.core.panel import Panel
from shared.api.cluster import READY, Cluster
from shared.api.conditions import find_condition
from shared.api.meta import Condition
from shared.clock import parse_time
from shared.events.cluster import Observation
from shared.events.fleet_health import ClusterHealth, SeenBy

# Of these it is the rule that they are False, or not there.
_WELL_WHEN_FALSE = frozenset({"Slow", "FailoverHeld", "CredentialsExpiring"})


def overview_of(
    cluster: Cluster, words: Sequence[Observation], panel: Panel, now: datetime
) -> ClusterHealth:
    ready = find_condition(cluster.status.conditions, READY)
    return ClusterHealth(
        cluster=cluster.metadata.name,
        region=cluster.spec.region,
        reach=reach_of(cluster.status),
        message=ready.message if ready is not None else "",
        conditions=tuple(_amiss(cluster.status.conditions)),
        taints=tuple(f"{one.key}:{one.effect}" for one in cluster.status.taints),
        observers=tuple(
            _seen_by(word, panel, now) for word in sorted(words, key=lambda one: one.observer)
        ),
    )


def _amiss(conditions: Iterable[Condition]) -> Iterable[str]:
    for one in conditions:
        well = "False" if one.type in _WELL_WHEN_FALSE else "True"
        if one.status != well:
            why = f": {one.message}" if one.message else ""
            yield f"{one.type}={one.status} ({one.reason}){why}"


def _seen_by(word: Observation, panel: Panel, now: datetime) -> SeenBy:
    return SeenBy(
        observer=word.observer,
        region=word.region,
        reach=word.reach,
        age_seconds=_age(word, now),
        failures=word.failures,
        latency_milliseconds=word.latency_milliseconds,
        throttled=word.throttled,
        blind=word.observer in panel.blind,
        message=word.message or word.refusal,
    )


def _age(word: Observation, now: datetime) -> float:
    try:
        return round(max(0.0, (now - parse_time(word.observed_time)).total_seconds()), 1)
    except ValueError:
        return 0.0
