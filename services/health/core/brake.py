"""How many members may be given up, and how fast: the more seem gone at once, the less we move.

The model are the zones of Kubernetes' node lifecycle controller. Where too much of the fleet seems
gone the fault is more likely ours, and nobody is given up. Below that, members are given up at a
rate that follows the size of the fleet; one at a time and more slowly in a region of which most,
but not all, seem gone. A region that is gone altogether while others are not is an outage like
any other.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from shared.events.cluster import Reach

SEEMS_GONE = frozenset({Reach.SUSPECT, Reach.UNREACHABLE})

TOO_MANY_GONE = "TooManyMembersGone"
RATE = "EvictionRate"
REGION = "RegionDisrupted"

_AT_ONCE_MIN = 2
_SLOWER = 5
"""A region that is disrupted waits so many windows between one member and the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is made of one member; `given_up` is when it was tainted NoExecute, None where not."""

    reach: Reach
    region: str = ""
    given_up: datetime | None = None


class Held(NamedTuple):
    """Why a member is not given up though it is gone; `reason` is PascalCase."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Brake:
    """When to stop tainting: so large a share of so large a fleet, and at least two.

    `rate_share` of the fleet, two at least, may be given up within `window`.
    """

    share: float = 0.55
    fleet_min: int = 3
    rate_share: float = 0.25
    window: timedelta = timedelta(minutes=1)

    def holds(self, fleet: Mapping[str, Reach]) -> bool:
        """Tell whether too many members of *fleet* seem gone at once; Suspects count.

        Those that fail together cross the threshold one after the other; counting Suspects, the
        first of them is not tainted before the rest is noticed.
        """
        return self.is_too_much(sum(reach in SEEMS_GONE for reach in fleet.values()), len(fleet))

    def is_too_much(self, gone: int, seen: int) -> bool:
        """Tell whether *gone* of *seen* members are more than fail by themselves."""
        return seen >= self.fleet_min and gone >= 2 and gone > self.share * seen

    def why_held(self, name: str, fleet: Mapping[str, Standing], now: datetime) -> Held | None:
        """Say why *name*, which is gone, is not to be given up now; None where it is."""
        reaches = {one: standing.reach for one, standing in fleet.items()}
        if self.holds(reaches):
            return Held(TOO_MANY_GONE, gone_sentence(reaches))
        mine = fleet.get(name)
        if mine is not None and mine.given_up is not None:
            return None
        return self._too_fast(name, fleet, now) or self._region_disrupted(name, fleet, now)

    def _too_fast(self, name: str, fleet: Mapping[str, Standing], now: datetime) -> Held | None:
        at_once = max(_AT_ONCE_MIN, math.ceil(self.rate_share * len(fleet)))
        recent = self._recent(name, fleet, now, self.window)
        if len(recent) < at_once:
            return None
        return Held(
            RATE,
            f"{', '.join(recent)} were given up within {_seconds(self.window)}, as many of "
            f"{len(fleet)} as may at once; this one follows",
        )

    def _region_disrupted(
        self, name: str, fleet: Mapping[str, Standing], now: datetime
    ) -> Held | None:
        mine = fleet.get(name)
        if mine is None or not mine.region:
            return None
        region = {one: each for one, each in fleet.items() if each.region == mine.region}
        gone = sum(each.reach in SEEMS_GONE for each in region.values())
        if gone == len(region) or not self.is_too_much(gone, len(region)):
            return None
        slower = self.window * _SLOWER
        recent = self._recent(name, region, now, slower)
        if not recent:
            return None
        return Held(
            REGION,
            f"{gone} of {len(region)} members in {mine.region} seem gone at once; {recent[0]} was "
            f"given up within {_seconds(slower)}, this one follows",
        )

    def _recent(
        self, name: str, fleet: Mapping[str, Standing], now: datetime, window: timedelta
    ) -> list[str]:
        return sorted(
            one
            for one, standing in fleet.items()
            if one != name and standing.given_up is not None and now - standing.given_up < window
        )


def _seconds(window: timedelta) -> str:
    return f"{window.total_seconds():.0f} s"


def gone_sentence(fleet: Mapping[str, Reach]) -> str:
    gone: Collection[str] = [name for name, reach in fleet.items() if reach in SEEMS_GONE]
    return (
        f"{len(gone)} of {len(fleet)} members seem gone at once: more likely the fault is on this "
        "side, so nothing is tainted until fewer are"
    )
