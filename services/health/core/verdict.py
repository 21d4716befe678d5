"""From the words of all observers of a member to one verdict, and from all verdicts to a brake.

A verdict needs evidence (invariant 5): a member is unreachable only when every observer that looks
says so, and one good word outweighs any number of broken links. When too much of the fleet
seems gone at once, the fault is more likely ours: then nobody is tainted any more.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from shared.events.cluster import Observation, Reach

# The best word counts.
_BEST_FIRST = (
    Reach.REACHABLE,
    Reach.NOT_READY,
    Reach.CREDENTIALS_REFUSED,
    Reach.SUSPECT,
    Reach.UNREACHABLE,
)

SEEMS_GONE = frozenset({Reach.SUSPECT, Reach.UNREACHABLE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is believed of a member, and why in one sentence."""

    reach: Reach
    message: str = ""


def judge(observations: Sequence[Observation]) -> Verdict:
    """Join the observers' words; without any the verdict is Unknown."""
    for reach in _BEST_FIRST:
        agreeing = [each for each in observations if each.reach is reach]
        if agreeing:
            return Verdict(reach=reach, message=_explain(reach, agreeing, observations))
    return Verdict(reach=Reach.UNKNOWN, message="no observer has looked")


def _explain(
    reach: Reach, agreeing: Sequence[Observation], observations: Sequence[Observation]
) -> str:
    first = min(agreeing, key=lambda each: each.observer)
    text = f"{first.observer}: {first.message}" if first.message else f"seen by {first.observer}"
    others = sorted(each.observer for each in observations if each.reach is not reach)
    return f"{text}; seen otherwise by {', '.join(others)}" if others else text


@dataclass(frozen=True, slots=True, kw_only=True)
class Brake:
    """When to stop tainting: so large a share of so large a fleet, and at least two."""

    share: float = 0.55
    fleet_min: int = 3

    def holds(self, fleet: Mapping[str, Reach]) -> bool:
        """Tell whether too many members of *fleet* seem gone at once; Suspects count.

        Those that fail together cross the threshold one after the other; counting Suspects, the
        first of them is not tainted before the rest is noticed.
        """
        gone = sum(reach in SEEMS_GONE for reach in fleet.values())
        return len(fleet) >= self.fleet_min and gone >= 2 and gone > self.share * len(fleet)


def gone_sentence(fleet: Mapping[str, Reach]) -> str:
    gone: Collection[str] = [name for name, reach in fleet.items() if reach in SEEMS_GONE]
    return (
        f"{len(gone)} of {len(fleet)} members seem gone at once: more likely the fault is on this "
        "side, so nothing is tainted until fewer are"
    )
