"""Two reports on one object, of which one lies in STATUS and the other was to take its place.

A worker that is late, because it was stopped, cut off or replaced, says what was true a while ago.
The hour is no judge, as every worker has its own; the orders and the member's own versions are.
"""

from enum import Enum, auto

import msgspec

from services.propagator.core.observed import is_newer
from shared.events.work import WorkReport


class Verdict(Enum):
    OURS = auto()
    """Ours is of later."""
    THEIRS = auto()
    """Theirs says as much, or is of later."""
    OPEN = auto()
    """The member must be asked."""


def judge(ours: WorkReport, theirs: WorkReport) -> Verdict:
    """Which of the two is to stand."""
    if ours.generation != theirs.generation:
        return Verdict.OURS if ours.generation > theirs.generation else Verdict.THEIRS
    if says_the_same(ours, theirs) or theirs.is_removed:
        return Verdict.THEIRS
    if ours.is_removed:
        return Verdict.OURS
    if not ours.uid or ours.uid != theirs.uid:
        return Verdict.OPEN
    if ours.resource_version == theirs.resource_version:
        # Of the same look: one of them was refused what the other got, or knows more of drift.
        return Verdict.OPEN
    newer = is_newer(ours.resource_version, theirs.resource_version)
    return Verdict.OURS if newer else Verdict.THEIRS


def says_the_same(one: WorkReport, other: WorkReport) -> bool:
    """Whether nothing but the time of looking differs."""
    return one == msgspec.structs.replace(
        other, observed_time=one.observed_time, resource_version=one.resource_version
    )
