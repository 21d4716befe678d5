"""How well members are liked: an order among those that may take part, never a reason against one.

A score is 1, and the weight of every preferred affinity that covers the member, and what signals
and plugins add. A member with a PreferNoSchedule taint that is not tolerated scores 0.
"""

from collections.abc import Mapping

import msgspec

from services.scheduler.core.fleet import Fleet
from services.scheduler.core.member import Member
from services.scheduler.core.signals.scoring import POINTS_MAX, added_scores
from services.scheduler.core.workload import Workload
from shared.apimachinery.taints import PREFER_NO_SCHEDULE, untolerated

_encode = msgspec.json.Encoder().encode


def scores_of(workload: Workload, fleet: Fleet) -> Mapping[str, int]:
    """Return the score of every member, the greater the better; shared, so never change it.

    In hundredths where the placement speaks of signals or plugins (`score_unit`).
    """
    preferred = workload.placement.preferred_cluster_affinities

    def score(member: Member) -> int:
        if untolerated(member.taints, workload.tolerations, (PREFER_NO_SCHEDULE,)):
            return 0
        return 1 + sum(
            one.weight for one in preferred if member.name in fleet.covered_by(one.preference)
        )

    key = ("scores", _encode((preferred, workload.tolerations)))
    found = fleet.remember(
        key, lambda: {name: score(member) for name, member in fleet.members.items()}
    )
    if score_unit(workload) == 1:
        return found
    added = added_scores(workload, fleet)
    return {name: POINTS_MAX * one + added[name] if one else 0 for name, one in found.items()}


def score_unit(workload: Workload) -> int:
    """By what a score of `scores_of` is to be divided."""
    placement = workload.placement
    return POINTS_MAX if placement.scores or placement.plugins else 1
