"""Whose turn it is among the keys that wait.

The urgent come first, but none waits for ever: while several classes wait, each gets a share of
the turns by its weight (stride scheduling, Waldspurger and Weihl 1995). Within a class the flows,
one per namespace as a rule, take turns, so that whoever brings ten thousand keys does not hold
back another's one. Within a flow it is first come, first served.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from enum import IntEnum
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
FlowOf = Callable[[Key], Hashable]


class Urgency(IntEnum):
    """The lower, the sooner."""

    FIRST = 0
    """What is to go, and what takes the place of something lost."""
    CHANGE = 1
    """What users changed."""
    UPKEEP = 2
    """What is looked at although nobody changed it, and what others changed."""


WEIGHTS = {Urgency.FIRST: 16, Urgency.CHANGE: 4, Urgency.UPKEEP: 1}
"""Turns of each class while all of them wait."""


def change_of_any(_key: Hashable) -> Urgency:
    """The urgency of keys that are all alike."""
    return Urgency.CHANGE


_STRIDES = {urgency: max(WEIGHTS.values()) // weight for urgency, weight in WEIGHTS.items()}

Line = OrderedDict[Key, None]


class _Class(Generic[Key]):
    """The flows of one urgency."""

    __slots__ = ("flows", "passed", "stride")

    def __init__(self, stride: int) -> None:
        self.stride = stride
        # Grows with every turn; whose is lowest is next.
        self.passed = 0
        self.flows: OrderedDict[Hashable, Line[Key]] = OrderedDict()


class Turns(Generic[Key]):
    """Keys that wait, each at most once. *flow_of* must give the same for a key at all times."""

    def __init__(self, flow_of: FlowOf[Key]) -> None:
        self._flow_of = flow_of
        self._classes: dict[Urgency, _Class[Key]] = {
            urgency: _Class(stride) for urgency, stride in _STRIDES.items()
        }
        self._urgencies: dict[Key, Urgency] = {}

    def __len__(self) -> int:
        return len(self._urgencies)

    def add(self, key: Key, urgency: Urgency) -> None:
        """Put *key* at the end of its flow, or forward into a more urgent class."""
        known = self._urgencies.get(key)
        if known is not None:
            if known <= urgency:
                return
            self._remove(key, known)
        found = self._classes[urgency]
        if not found.flows:
            # Whoever had nothing to do has saved up no turns.
            busy = [one.passed for one in self._classes.values() if one.flows]
            found.passed = max(found.passed, min(busy, default=found.passed))
        flow = self._flow_of(key)
        line = found.flows.get(flow)
        if line is None:
            line = found.flows[flow] = OrderedDict()
        line[key] = None
        self._urgencies[key] = urgency

    def take(self) -> Key:
        """Take the next key off; there must be one."""
        found = min(
            (one for one in self._classes.values() if one.flows), key=lambda one: one.passed
        )
        found.passed += found.stride
        flow, line = next(iter(found.flows.items()))
        key, _ = line.popitem(last=False)
        if line:
            found.flows.move_to_end(flow)
        else:
            del found.flows[flow]
        del self._urgencies[key]
        return key

    def _remove(self, key: Key, urgency: Urgency) -> None:
        flows, flow = self._classes[urgency].flows, self._flow_of(key)
        del flows[flow][key]
        if not flows[flow]:
            del flows[flow]
