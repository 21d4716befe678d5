"""When too much seems gone at once: the fault is more likely ours, and nobody is tainted."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from shared.events.cluster import Reach

SEEMS_GONE = frozenset({Reach.SUSPECT, Reach.UNREACHABLE})


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
        return self.is_too_much(sum(reach in SEEMS_GONE for reach in fleet.values()), len(fleet))

    def is_too_much(self, gone: int, seen: int) -> bool:
        """Tell whether *gone* of *seen* members are more than fail by themselves."""
        return seen >= self.fleet_min and gone >= 2 and gone > self.share * seen


def gone_sentence(fleet: Mapping[str, Reach]) -> str:
    gone: Collection[str] = [name for name, reach in fleet.items() if reach in SEEMS_GONE]
    return (
        f"{len(gone)} of {len(fleet)} members seem gone at once: more likely the fault is on this "
        "side, so nothing is tainted until fewer are"
    )
