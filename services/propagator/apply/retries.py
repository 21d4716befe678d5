"""When a member is asked again: while it is silent, and for what it refused."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrySettings:
    """First and longest waits; each is twice the one before."""

    silent: timedelta = timedelta(milliseconds=200)
    """Of all calls to a member that did not answer one, or was too busy to."""

    silent_max: timedelta = timedelta(seconds=2)
    """One call in that time costs a member little, and is what its return is noticed by."""

    soon: timedelta = timedelta(milliseconds=100)
    """First of six, before it is told, for a refusal that mostly passes by itself."""

    slow: timedelta = timedelta(seconds=5)
    """First after a refusal was told."""

    slow_max: timedelta = timedelta(minutes=5)

    held: timedelta = timedelta(seconds=2)
    """First, for the end of what the member agreed to delete."""

    held_max: timedelta = timedelta(seconds=30)

    in_the_way_max: timedelta = timedelta(minutes=1)
    """For an object of the member's own in the way; who was told often takes it away."""
