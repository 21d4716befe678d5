"""From a policy and what is known of its service to the status that says how traffic is shared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from services.traffic.core.catalogue import ImportedService
from services.traffic.core.failover_order import is_well, take_turn
from services.traffic.core.places import Place, Terms, regions_of
from services.traffic.core.shift import Evidence, advance
from services.traffic.core.split import able_of, in_turn, split
from services.traffic.core.terms import Fleet, next_window, places_of, terms_of, unknown_of
from shared.api.conditions import with_condition, without_condition
from shared.api.meta import Condition
from shared.api.traffic_policy import (
    CARRIED,
    CLUSTERS_KNOWN,
    ROUTED,
    SHIFTED,
    ClusterShare,
    FailoverState,
    ShiftState,
    TrafficPolicy,
    TrafficSplit,
    TrafficStatus,
)
from shared.apimachinery.durations import parse_duration
from shared.clock import format_micro_time, format_time


@dataclass(frozen=True, slots=True)
class Told:
    """Requests and errors that load balancers told of since the last look, by cluster."""

    requests: Mapping[str, int] = field(default_factory=dict)
    errors: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """All that a decision goes by. `service` None: nobody exports it.

    `wanted` are replicas by cluster, `demand` requests per second by region. `rival` is the policy
    that speaks for the service already. `watched_since`: nobody looked before then. `amiss`: what
    those who carry the traffic cannot do of it, a reason and a message each; None where nobody
    carries it that could tell, and `unheard` where they have yet to say.
    """

    policy: TrafficPolicy
    service: ImportedService | None
    fleet: Fleet
    wanted: Mapping[str, int]
    demand: Mapping[str, int]
    told: Told
    now: datetime
    watched_since: datetime
    rival: str = ""
    amiss: Sequence[tuple[str, str]] | None = None
    unheard: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """The status as it is to be, and when it may be another though nothing happens."""

    status: TrafficStatus
    wake_after: timedelta | None = None


def decide(situation: Situation) -> Decision:
    """Decide; what is unclear, and who has nobody to share among, is told by conditions."""
    if situation.rival:
        why = f"policy {situation.rival} speaks for this service"
        return _nowhere(situation, "AnotherPolicy", why)
    if situation.service is None:
        return _nowhere(situation, "NotExported", "no member exports the service")
    spec, old = situation.policy.spec, situation.policy.status
    places = places_of(spec, situation.service, situation.wanted, situation.fleet, situation.now)
    terms = terms_of(spec, situation.fleet, situation.demand)
    # 1. Whose turn it is.
    failover, waits = _turn(situation, terms, places)
    window = next_window(situation.service, situation.fleet, situation.now)
    waits += [window] if window is not None else []
    if failover is not None:
        terms = replace(terms, active=failover.active)
    # 2. How much is shifted.
    shift: ShiftState | None = None
    if spec.shift is not None:
        progress = advance(
            spec.shift,
            old.shift,
            _evidence(terms, places, situation.told),
            situation.now,
            situation.watched_since,
        )
        shift = progress.state
        terms = replace(terms, percentage=shift.percentage)
        waits += [progress.wake_after] if progress.wake_after is not None else []
    # 3. Who gets how much, for traffic from each region.
    regions = regions_of(places) if spec.locality is not None else ("",)
    splits = tuple(
        TrafficSplit(region=region, clusters=_told(split(terms, places, region)))
        for region in regions
    )
    status = TrafficStatus(
        observed_generation=situation.policy.metadata.generation,
        splits=splits,
        failover=failover,
        shift=shift,
        conditions=_conditions(situation, _routed(splits), shift),
        observed_time=format_micro_time(situation.now),
    )
    return Decision(status, min(waits, default=None))


def _told(clusters: Sequence[ClusterShare]) -> tuple[ClusterShare, ...]:
    """Leave out who is only too far: of many regions and clusters that would be most of them."""
    return tuple(one for one in clusters if one.reason != "NearerOnes")


def _turn(
    situation: Situation, terms: Terms, places: Sequence[Place]
) -> tuple[FailoverState | None, list[timedelta]]:
    rules = situation.policy.spec.failover
    if rules is None:
        return None, []
    well = [
        is_well([one for one in places if one.cluster in group], rules.min_ready_percent)
        for group in terms.groups
    ]
    after = timedelta(seconds=parse_duration(rules.return_after or "0s"))
    turn = take_turn(situation.policy.status.failover, well, after, situation.now)
    return turn.state, [turn.wake_after] if turn.wake_after is not None else []


def _evidence(terms: Terms, places: Sequence[Place], told: Told) -> Evidence:
    named = terms.shift_to or frozenset()
    there = [one for one in places if one.cluster in named]
    return Evidence(
        ready=sum(one.ready for one in there if one.alive and not one.drained),
        wanted=sum(one.wanted for one in there),
        requests=sum(told.requests.get(name, 0) for name in named),
        errors=sum(told.errors.get(name, 0) for name in named),
        in_turn=any(one.cluster in named for one in in_turn(terms, able_of(terms, places))),
    )


def _routed(splits: Sequence[TrafficSplit]) -> tuple[str, str, str]:
    """Status, reason and message of the condition Routed."""
    clusters = splits[0].clusters
    takers = [one for one in clusters if one.share]
    if takers:
        return "True", "Routed", ""
    if not clusters:
        return "False", "NotExported", "no member exports the service"
    why = "; ".join(f"{one.name}: {one.message}" for one in clusters[:_SHOWN_MAX])
    more = len(clusters) - _SHOWN_MAX
    return "False", "NoEndpoints", f"{why} and {more} more" if more > 0 else why


_SHOWN_MAX = 5


def _carried(amiss: Sequence[tuple[str, str]]) -> tuple[str, str, str]:
    if not amiss:
        return "True", "Carried", ""
    told = "; ".join(message for _, message in amiss[:_SHOWN_MAX])
    more = len(amiss) - _SHOWN_MAX
    return "False", amiss[0][0], (f"{told} and {more} more" if more > 0 else told)[:_MESSAGE_MAX]


_MESSAGE_MAX = 2_000


def _nowhere(situation: Situation, reason: str, message: str) -> Decision:
    """Nothing is shared; how far a shift had come is kept for when it can go on."""
    old = situation.policy.status
    status = TrafficStatus(
        observed_generation=situation.policy.metadata.generation,
        failover=old.failover,
        shift=old.shift,
        conditions=_conditions(situation, ("False", reason, message), old.shift),
        observed_time=format_micro_time(situation.now),
    )
    return Decision(status)


def _conditions(
    situation: Situation, routed: tuple[str, str, str], shift: ShiftState | None
) -> tuple[Condition, ...]:
    """Return the conditions, those of the last status brought up to date."""
    policy, now = situation.policy, format_time(situation.now)
    unknown = unknown_of(policy.spec, situation.fleet)
    named = f"there is no {', no '.join(unknown)}" if unknown else ""
    found = policy.status.conditions
    told = [
        (ROUTED, *routed),
        (CLUSTERS_KNOWN, *(("False", "Unknown", named) if unknown else ("True", "Known", ""))),
    ]
    if policy.spec.shift is not None and shift is not None:
        done = "True" if shift.phase == "Complete" else "False"
        told.append((SHIFTED, done, shift.phase, shift.message))
    else:
        found = without_condition(found, SHIFTED)
    if situation.amiss is not None:
        told.append((CARRIED, *_carried(situation.amiss)))
    elif not situation.unheard:
        found = without_condition(found, CARRIED)
    for kind, status, reason, message in told:
        new = Condition(
            type=kind,
            status=status,
            reason=reason,
            message=message,
            observed_generation=policy.metadata.generation,
        )
        found = with_condition(found, new, now=now)
    return found
