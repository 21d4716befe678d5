"""Why traffic is shared as it is, and how it was before."""

from collections.abc import Sequence

from shared.api.traffic_policy import TrafficPolicy
from shared.events.traffic import (
    EarlierSplit,
    PlanShare,
    PlanSplit,
    SplitChanged,
    TrafficExplanation,
)


def explain(policy: TrafficPolicy, facts: Sequence[SplitChanged]) -> TrafficExplanation:
    """*facts* are those of the name, in order of time; of another object they tell nothing."""
    own = [one for one in facts if one.uid == policy.metadata.uid]
    # The last one tells of what stands now.
    earlier = [
        EarlierSplit(at=one.occurred_at, shares=_anywhere(one.after), shift=one.shift)
        for one in own[:-1]
    ]
    return TrafficExplanation(
        policy=policy.metadata.name, status=policy.status, earlier=tuple(reversed(earlier))
    )


def _anywhere(splits: Sequence[PlanSplit]) -> tuple[PlanShare, ...]:
    return next(
        (tuple(one for one in split.shares if one.share) for split in splits if not split.region),
        (),
    )
