"""How much room every member has for the same replica, kept while rooms change one by one.

Snapshots that differ in rooms only share what is known, each with its place in the row of changes:
of an answer known from an earlier place only the members that changed since are asked again.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from services.scheduler.core.member import Member
from services.scheduler.core.room import Ask

# Far more than a federation has sorts of replicas at a time.
_KNOWN_MAX = 4_096
_CHANGES_MAX = 4_096

Question = tuple[Ask, str]
"""What a replica asks for, and the namespace whose quotas count; "" for none."""

Answer = Mapping[str, int | None]


@dataclass(slots=True)
class _History:
    changed: list[str] = field(default_factory=list)
    known: dict[Question, tuple[int, Answer]] = field(default_factory=dict)


class Rooms:
    """The rooms of *members* as they are at one place of a row of changes.

    *limited*: the namespaces that have a quota somewhere, or had one earlier in the row.
    """

    def __init__(
        self,
        members: Mapping[str, Member],
        history: _History | None = None,
        limited: frozenset[str] | None = None,
    ) -> None:
        self._members = members
        self._history = history or _History()
        self._place = len(self._history.changed)
        self._limited = _limited(members.values()) if limited is None else limited

    def after(self, members: Mapping[str, Member], changed: Collection[Member]) -> "Rooms":
        """Return the rooms of *members*, who are the same but for those that *changed*."""
        history = self._history
        if len(history.changed) != self._place or self._place + len(changed) > _CHANGES_MAX:
            # Others went another way from here, or the row grows too long.
            return Rooms(members)
        history.changed += [member.name for member in changed]
        return Rooms(members, history, self._limited | _limited(changed))

    def answer(self, ask: Ask, namespace: str) -> Answer:
        """How many such replicas fit in each member; None where its room is not known."""
        question = ask, namespace if namespace in self._limited else ""
        place, known = self._history.known.get(question, (-1, None))
        if known is not None and place == self._place:
            return known
        if known is not None and place < self._place:
            names = set(self._history.changed[place : self._place])
            found = {**known, **{name: self._ask(name, question) for name in names}}
        else:
            found = {name: self._ask(name, question) for name in self._members}
        if place <= self._place:
            if len(self._history.known) >= _KNOWN_MAX:
                self._history.known.clear()
            self._history.known[question] = self._place, found
        return found

    def closed(self, ask: Ask, namespace: str) -> frozenset[str]:
        """Name the members where the namespace's quota alone leaves no room for a replica."""
        if namespace not in self._limited:
            return frozenset()
        rooms = ((name, member.room) for name, member in self._members.items())
        return frozenset(
            name for name, room in rooms if room and room.left_by_quota(ask, namespace) == 0
        )

    def _ask(self, name: str, question: Question) -> int | None:
        room = self._members[name].room
        return None if room is None else room.holds(*question)


def _limited(members: Iterable[Member]) -> frozenset[str]:
    rooms = (member.room for member in members)
    return frozenset(name for room in rooms if room is not None for name in room.quotas)
