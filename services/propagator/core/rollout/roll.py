"""The roll of a rollout: every cluster of the decision with its stage and what it must hold."""

from collections.abc import Sequence

import msgspec

from services.propagator.core.rollout.situation import Situation
from services.propagator.core.rollout.stages import assign
from shared.api.rollout import ClusterState, RolloutCluster
from shared.clock import format_micro_time

_ON_TARGET: tuple[ClusterState, ...] = ("Updating", "Updated", "Failed")
_BEFORE: tuple[ClusterState, ...] = ("Waiting",)
_BACK: tuple[ClusterState, ...] = ("Reverting", "Reverted")


def enlist(situation: Situation) -> dict[str, RolloutCluster]:
    """Cluster -> its record, before anything new is decided; by name.

    Whoever is new to the decision gets the last complete revision, so that a share which moves
    during a rollout runs at once.
    """
    known = {one.name: one for one in situation.status.clusters}
    before = {} if situation.is_new else {name: one.stage for name, one in known.items()}
    stages = assign(situation.strategy, situation.clusters, before, situation.groups)
    return {
        name: _record(situation, name, stages[name], known.get(name))
        for name in sorted(situation.clusters)
    }


def _record(
    situation: Situation, name: str, stage: str, known: RolloutCluster | None
) -> RolloutCluster:
    one = known if known is not None else _newcomer(situation, name)
    on_target = one.revision == situation.target
    state, since = one.state, one.since
    current = state in _states_of(situation, on_target=on_target)
    if situation.begins or known is None or not current:
        again: ClusterState = "Updating" if on_target else "Waiting"
        # Another attempt spares those that the last one brought through.
        done = on_target and state == "Updated" and not situation.is_new
        if not done:
            state, since = again, format_micro_time(situation.now)
    changed = state != one.state or since != one.since
    message = "" if changed else one.message
    if one.revision and one.revision not in situation.recorded:
        message = f"the record of revision {one.revision} is gone: it keeps what it has"
    return msgspec.structs.replace(
        one,
        stage=stage,
        state=state,
        since=since,
        healthy_since="" if changed else one.healthy_since,
        message=message,
        template_generation=(
            situation.template_generation if on_target else one.template_generation
        ),
    )


def _states_of(situation: Situation, *, on_target: bool) -> Sequence[ClusterState]:
    """The states there are now of whoever holds the target, or does not.

    Whose share was leaving when another revision came has none of them, should it stay after all.
    """
    states: Sequence[ClusterState] = _ON_TARGET if on_target else _BEFORE
    return (*states, *_BACK) if situation.is_stuck else states


def _newcomer(situation: Situation, name: str) -> RolloutCluster:
    held = situation.found.get(name)
    if held is not None:
        return RolloutCluster(
            name=name, revision=held.revision, template_generation=held.template_generation
        )
    complete = situation.complete
    generation = situation.recorded.get(complete, 0)
    return RolloutCluster(name=name, revision=complete, template_generation=generation)
