"""A decision for people: the verdict on every cluster, from the fact that told of it or anew."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from services.scheduler.core.decision import Decision, verdicts_of
from services.scheduler.core.telling.reasons import Basis
from shared.events.explaining import ClusterVerdict, EarlierDecision, Explanation
from shared.events.placement import PlacementDecided

EARLIER_MAX = 10


def explanation_of(
    facts: Sequence[PlacementDecided], now: Sequence[ClusterVerdict] = ()
) -> Explanation:
    """Explain the last of *facts*, which are in order of time; *now*: what would be said today."""
    fact = facts[-1]
    verdicts = recorded_verdicts(fact)
    return Explanation(
        about=fact.kind,
        namespace=fact.namespace,
        name=fact.name,
        recorded=True,
        decided_at=fact.occurred_at,
        trigger=fact.trigger,
        trigger_message=fact.trigger_message,
        policy=fact.policy,
        policy_generation=fact.policy_generation,
        template_generation=fact.template_generation,
        revision=fact.revision,
        scheduled=fact.scheduled,
        reason=fact.reason,
        message=fact.message,
        replicas=fact.replicas,
        affinity=fact.affinity,
        passed_over=fact.passed_over,
        unheard=fact.unheard,
        notes=tuple(one for one in fact.notes if one not in fact.trigger_message),
        clusters=verdicts,
        now=_differing(verdicts, now),
        earlier=tuple(
            EarlierDecision(
                decided_at=one.occurred_at,
                trigger=one.trigger,
                trigger_message=one.trigger_message,
                scheduled=one.scheduled,
                clusters=one.clusters,
            )
            for one in reversed(facts[-1 - EARLIER_MAX : -1])
        ),
    )


def recorded_verdicts(fact: PlacementDecided) -> tuple[ClusterVerdict, ...]:
    """Return the verdicts that a fact tells of, by name."""
    why = {
        name: (group.code, group.message) for group in fact.reasons for name in group.clusters
    } or {one.cluster: (one.code, one.message) for one in fact.rejected}
    found = {
        name: ClusterVerdict(
            cluster=name,
            standing="NotPlaced",
            code=code,
            message=message,
            score=fact.scores.get(name),
            parts=fact.score_parts.get(name, ()),
        )
        for name, (code, message) in why.items()
    }
    for one in fact.leaving:
        code, message = why.get(one.cluster, ("", ""))
        found[one.cluster] = ClusterVerdict(
            cluster=one.cluster,
            standing="Leaving",
            replicas=one.replicas,
            code=code,
            message=message,
        )
    for one in fact.clusters:
        found[one.cluster] = ClusterVerdict(
            cluster=one.cluster,
            standing="Placed",
            replicas=one.replicas,
            score=fact.scores.get(one.cluster),
            parts=fact.score_parts.get(one.cluster, ()),
        )
    return _by_name(found)


def verdicts_now(decision: Decision, basis: Basis) -> tuple[ClusterVerdict, ...]:
    """Return the verdicts of a decision that is not told, by name."""
    leaving = {one.cluster: one.replicas for one in decision.evictions}
    found = {}
    for one in verdicts_of(decision):
        found[one.cluster] = ClusterVerdict(
            cluster=one.cluster,
            standing="Placed" if one.chosen else "Leaving" if one.leaving else "NotPlaced",
            replicas=leaving.get(one.cluster) if one.leaving else one.replicas,
            code=one.code,
            message=one.message,
            score=basis.scores.get(one.cluster),
            parts=basis.parts.get(one.cluster, ()),
        )
    return _by_name(found)


def _by_name(found: Mapping[str, ClusterVerdict]) -> tuple[ClusterVerdict, ...]:
    return tuple(found[name] for name in sorted(found))


def _differing(
    then: Iterable[ClusterVerdict], now: Iterable[ClusterVerdict]
) -> tuple[ClusterVerdict, ...]:
    """Return those of *now* that are others than they were; of a score only, it is no other."""
    known = {one.cluster: _unscored(one) for one in then}
    return tuple(one for one in now if known.get(one.cluster) != _unscored(one))


def _unscored(verdict: ClusterVerdict) -> ClusterVerdict:
    return msgspec.structs.replace(verdict, score=None, parts=())
