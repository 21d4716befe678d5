"""What plugins said of the clusters before a decision is taken: an input of it like any other."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from services.scheduler.core.decision import Rejection, RejectionCode


@dataclass(frozen=True, slots=True)
class Opinions:
    """`refused`: clusters that may not take it, and why. `points` by plugin and cluster, 0 to 100.

    `failed`: plugins that gave no good answer, and why. `closed`: as long as they do not, nothing
    goes where it is not yet.
    """

    refused: Mapping[str, str] = field(default_factory=dict)
    points: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
    closed: str = ""


NOBODY_ASKED = Opinions()


def without_refused(
    feasible: Sequence[str],
    rejected: Mapping[str, Rejection],
    opinions: Opinions,
    holders: Collection[str],
) -> tuple[tuple[str, ...], Mapping[str, Rejection]]:
    """Leave out those that plugins refuse; where one must be heard and was not, all but *holders*.

    What runs somewhere stays there, refused or not: plugins say where it may come.
    """
    found = dict(rejected)
    for name in feasible:
        if opinions.closed and name not in holders:
            found[name] = Rejection(RejectionCode.PLUGIN_SILENT, opinions.closed)
        elif name in opinions.refused:
            found[name] = Rejection(RejectionCode.PLUGIN, opinions.refused[name])
    return tuple(name for name in feasible if name not in found), found
