"""Who looks at the members, and whose word counts.

An observer that sees most of the fleet gone while others do not is cut off itself: it is blind, and
its silence about a member is no evidence. Where all see it alike nobody is blind, and the brake has
the word.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from services.health.core.brake import SEEMS_GONE, Brake
from shared.events.cluster import Observation


@dataclass(frozen=True, slots=True)
class Panel:
    """The observers with a fresh word on any member, and which of them are blind."""

    observers: frozenset[str]
    blind: frozenset[str] = frozenset()

    @property
    def quorum(self) -> int:
        """How many must say that a member is gone: most of all there are, blind or not."""
        return len(self.observers) // 2 + 1


NOBODY = Panel(frozenset())


class Panelists:
    """Counts what each observer sees of the fleet, word by word."""

    def __init__(self, brake: Brake) -> None:
        self._brake = brake
        self._seen: dict[str, int] = {}
        self._gone: dict[str, int] = {}

    def replace(self, before: Observation | None, after: Observation | None) -> None:
        """One observer's word on one member takes the place of an earlier one."""
        for word, step in ((before, -1), (after, 1)):
            if word is None or word.own:
                continue
            name = word.observer
            self._seen[name] = self._seen.get(name, 0) + step
            self._gone[name] = self._gone.get(name, 0) + step * (word.reach in SEEMS_GONE)
            if not self._seen[name]:
                del self._seen[name], self._gone[name]

    @property
    def panel(self) -> Panel:
        blind = frozenset(
            name
            for name, seen in self._seen.items()
            if self._brake.is_too_much(self._gone[name], seen)
        )
        # Where nobody sees better, nobody is known to be blind.
        all_alike = len(blind) == len(self._seen)
        return Panel(frozenset(self._seen), frozenset() if all_alike else blind)


def panel_of(words: Iterable[Observation], brake: Brake) -> Panel:
    """Return the panel that spoke *words*."""
    panelists = Panelists(brake)
    for word in words:
        panelists.replace(None, word)
    return panelists.panel
