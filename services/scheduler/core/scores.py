"""How well members are liked: an order among those that may take part, never a reason against one.

A score is 1, and the weight of every preferred affinity that covers the member. A member with a
PreferNoSchedule taint that is not tolerated scores 0.
"""

from collections.abc import Mapping

import msgspec

from services.scheduler.core.fleet import Fleet
from services.scheduler.core.member import Member
from services.scheduler.core.workload import Workload
from shared.apimachinery.taints import PREFER_NO_SCHEDULE, untolerated

_encode = msgspec.json.Encoder().encode


def scores_of(workload: Workload, fleet: Fleet) -> Mapping[str, int]:
    """Return the score of every member, the greater the better; shared, so never change it."""
    preferred = workload.placement.preferred_cluster_affinities

    def score(member: Member) -> int:
        if untolerated(member.taints, workload.tolerations, (PREFER_NO_SCHEDULE,)):
            return 0
        return 1 + sum(
            one.weight for one in preferred if member.name in fleet.covered_by(one.preference)
        )

    key = ("scores", _encode((preferred, workload.tolerations)))
    return fleet.remember(
        key, lambda: {name: score(member) for name, member in fleet.members.items()}
    )
