"""So many replicas at most in a cluster, whatever the policy says: for one workload, for a while.

Caps stand beside the policy's own limits: whoever divides sees the tighter of the two.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from services.scheduler.core.decision import Rejection
from services.scheduler.core.replicas import UNBOUNDED, Bounds


@dataclass(frozen=True, slots=True)
class Cap:
    """At most so many replicas; `why` is told where that leaves none."""

    most: int
    why: Rejection


Caps = Mapping[str, Cap]
NO_CAPS: Caps = {}
_SHOWN_MAX = 8


def tighter(*several: Caps) -> Caps:
    """Put caps together; of two for a cluster the lower counts, of equal ones the first."""
    found: dict[str, Cap] = {}
    for caps in several:
        for name, cap in caps.items():
            if name not in found or cap.most < found[name].most:
                found[name] = cap
    return found


def capped(bounds: Mapping[str, Bounds], caps: Caps) -> Mapping[str, Bounds]:
    """Return the policy's *bounds* as *caps* leave them."""
    found = dict(bounds)
    for name, cap in caps.items():
        bound = found.get(name, UNBOUNDED)
        most = cap.most if bound.most is None else min(bound.most, cap.most)
        found[name] = Bounds(min(bound.least, most), most)
    return found


def closed_to_copies(caps: Caps, replicas: int, holders: Iterable[str]) -> Mapping[str, Rejection]:
    """Say which clusters cannot take the whole of *replicas*; who has it keeps it."""
    there = frozenset(holders)
    return {
        name: cap.why for name, cap in caps.items() if cap.most < replicas and name not in there
    }


def told(caps: Caps) -> tuple[str, ...]:
    """Say in a clause for each reason where there may be some, and how many."""
    reasons: dict[str, list[str]] = {}
    for name, cap in sorted(caps.items()):
        if cap.most:
            reasons.setdefault(cap.why.message, []).append(f"{cap.most} in {name}")
    return tuple(f"at most {_some(places)}: {why}" for why, places in reasons.items())


def _some(places: list[str]) -> str:
    shown = ", ".join(places[:_SHOWN_MAX])
    return shown if len(places) <= _SHOWN_MAX else f"{shown} and so on"
