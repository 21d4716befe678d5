"""A zone: what its names say now, which names there are at all, and what changed lately.

Every name has one source, such as a service, that puts and withdraws all that it says at once.
Some names say the same to everyone, some differ by the member that asks (a view), and some are
chosen for each asker. A transfer hands out what is said to everyone.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from services.traffic.core.dns.names import parents_of
from services.traffic.core.dns.packets import ClientSubnet
from services.traffic.core.dns.records import CNAME, SOA, Authority, RecordSet

Node = Mapping[int, RecordSet]
"""What one name says, by type."""

WILDCARD = b"\x01*"
_HISTORY_MAX = 20_000
EMPTY: Node = {}


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: a packed address, what a resolver tells of whom it asks for, and which member."""

    address: bytes = b""
    subnet: ClientSubnet | None = None
    cluster: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """What is said this time. `scope`: bits of the asker's subnet for which it is said."""

    node: Node
    scope: int = 0


class Chooser(Protocol):
    """A name whose answer depends on who asks, and on chance."""

    def choose(self, kind: int, asker: Asker, draw: float) -> Choice:
        """*kind* is the type asked for; *draw* lies in 0 <= draw < 1."""
        ...


@dataclass(frozen=True, slots=True)
class Said:
    """All that one source says: for everyone, by view, and what is chosen."""

    names: Mapping[bytes, Node] = field(default_factory=dict)
    views: Mapping[str, Mapping[bytes, Node]] = field(default_factory=dict)
    chosen: Mapping[bytes, Chooser] = field(default_factory=dict)

    def all_names(self) -> set[bytes]:
        found = {*self.names, *self.chosen}
        for view in self.views.values():
            found.update(view)
        return found


NOTHING = Said()


@dataclass(frozen=True, slots=True)
class Step:
    """The zone from one serial to the next: whole sets that went, and that came."""

    before: int
    after: int
    gone: tuple[tuple[bytes, RecordSet], ...]
    come: tuple[tuple[bytes, RecordSet], ...]


class Zone:
    """Made once for an origin; changed by its sources alone."""

    def __init__(
        self, origin: bytes, authority: Authority, apex: Mapping[int, RecordSet] = EMPTY
    ) -> None:
        """*apex* says what the origin holds beside its SOA: its name servers above all."""
        self.origin = origin
        self.authority = authority
        self.serial = 0
        self.nodes: dict[bytes, Node] = {}
        self.views: dict[str, dict[bytes, Node]] = {}
        self.chosen: dict[bytes, Chooser] = {}
        # How many names lie at or below each: such a name exists, though it may say nothing.
        self._weight: dict[bytes, int] = {}
        self._sources: dict[str, Said] = {}
        self._steps: deque[Step] = deque()
        self._held = 0
        self._apex = dict(apex)
        self._count([origin], 1)
        self._renew(0)

    def __contains__(self, name: bytes) -> bool:
        """Whether the name exists: it, or one below it, says something."""
        return name in self._weight

    @property
    def sources(self) -> Iterable[str]:
        return self._sources.keys()

    def wildcard_of(self, name: bytes) -> bytes | None:
        """The name that speaks for *name*, which does not exist (RFC 4592); None where none does.

        It is the one right below the closest name above that exists.
        """
        for parent in parents_of(name):
            if parent in self._weight:
                found = WILDCARD + parent
                return found if found in self._weight else None
        return None

    def find(self, name: bytes, asker: Asker) -> Node | None:
        """What *name* says to everyone, or to the member that asks."""
        if asker.cluster:
            view = self.views.get(asker.cluster)
            if view is not None and name in view:
                return view[name]
        return self.nodes.get(name)

    def put(self, changes: Mapping[str, Said], serial: int) -> bool:
        """Let each source say this from now on (`NOTHING`: no more); whether anything changed.

        *serial* becomes its own, or where it is not above the last one, the next after that. All
        of it is one step.
        """
        serial = max(serial, self.serial + 1)
        gone: list[tuple[bytes, RecordSet]] = []
        come: list[tuple[bytes, RecordSet]] = []
        changed = False
        for source, said in changes.items():
            old = self._sources.get(source, NOTHING)
            if old == said:
                continue
            changed = True
            gone += _sets(old)
            come += _sets(said)
            self._withdraw(old)
            self._sources.pop(source, None)
            if said != NOTHING:
                self._sources[source] = said
                self._add(said)
        if not changed:
            return False
        self._remember(serial, gone, come)
        self._renew(serial)
        return True

    def start_at(self, serial: int) -> None:
        """Count on from *serial*: a zone in place of another one goes on where that ended."""
        self._renew(serial)

    def since(self, serial: int) -> list[Step] | None:
        """The steps from *serial* to now; None where they are no longer, or never were, known."""
        steps: list[Step] = []
        at = self.serial
        for step in reversed(self._steps):
            if at == serial:
                break
            steps.append(step)
            at = step.before
        return steps[::-1] if at == serial else None

    def sets(self) -> Iterator[tuple[bytes, RecordSet]]:
        """All it says to everyone, the SOA first."""
        yield self.origin, self.nodes[self.origin][SOA]
        for name, node in self.nodes.items():
            for found in node.values():
                if found.type != SOA:
                    yield name, found

    def soa_at(self, serial: int) -> RecordSet:
        return self.authority.set_at(serial)

    def _add(self, said: Said) -> None:
        self.nodes.update(said.names)
        for view, names in said.views.items():
            self.views.setdefault(view, {}).update(names)
        self.chosen.update(said.chosen)
        self._count(said.all_names(), 1)

    def _withdraw(self, said: Said) -> None:
        for name in said.names:
            self.nodes.pop(name, None)
        for view, names in said.views.items():
            for name in names:
                self.views[view].pop(name, None)
            if not self.views[view]:
                del self.views[view]
        for name in said.chosen:
            self.chosen.pop(name, None)
        self._count(said.all_names(), -1)

    def _count(self, names: Iterable[bytes], by: int) -> None:
        for name in names:
            for parent in parents_of(name):
                weight = self._weight.get(parent, 0) + by
                if weight:
                    self._weight[parent] = weight
                else:
                    del self._weight[parent]
                if parent == self.origin:
                    break

    def _renew(self, serial: int) -> None:
        self.serial = serial
        self.negative = self.authority.negative_at(serial)
        own = self.nodes.get(self.origin, EMPTY)
        rest = {kind: found for kind, found in own.items() if kind != CNAME}
        self.nodes[self.origin] = {**rest, **self._apex, SOA: self.authority.set_at(serial)}

    def _remember(
        self,
        serial: int,
        gone: list[tuple[bytes, RecordSet]],
        come: list[tuple[bytes, RecordSet]],
    ) -> None:
        kept = set(gone) & set(come)
        step = Step(
            self.serial,
            serial,
            tuple(one for one in gone if one not in kept),
            tuple(one for one in come if one not in kept),
        )
        self._steps.append(step)
        self._held += len(step.gone) + len(step.come)
        while self._held > _HISTORY_MAX:
            oldest = self._steps.popleft()
            self._held -= len(oldest.gone) + len(oldest.come)


def _sets(said: Said) -> list[tuple[bytes, RecordSet]]:
    return [(name, found) for name, node in said.names.items() for found in node.values()]
