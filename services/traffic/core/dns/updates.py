"""What another server has to be told so that it says what a zone here says (RFC 2136).

Beside each name that Hanse makes there it leaves a mark, a TXT record that says whose the name is
and which types of it. Names without it are somebody else's, and stay as they are.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from services.traffic.core.dns.names import IllegalName, labels_of, prefixed
from services.traffic.core.dns.records import NS, SOA, TXT, RecordSet, text
from services.traffic.core.dns.zone import EMPTY, Node

MARK_LABEL = "_hanse"
_MARK_TTL = 300
_LEFT_ALONE = (SOA, NS)

Observed = Mapping[bytes, Mapping[int, tuple[int, frozenset[bytes]]]]
"""By name and type, the time to live and the contents."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Of one name: the federation it is of, and the types that are Hanse's there."""

    owner: str
    types: frozenset[int]

    def record(self) -> RecordSet:
        types = ",".join(map(str, sorted(self.types)))
        return text(f"heritage=hanse,owner={self.owner},types={types}", _MARK_TTL)


@dataclass(frozen=True, slots=True)
class NameUpdate:
    """All that is to change of one name, at once or not at all.

    `before` is the mark it must bear for that, None for none; of types that are not Hanse's by it
    there must be no record.
    """

    name: bytes
    mark_name: bytes
    before: Mark | None
    after: Mark | None
    node: Node


@dataclass(frozen=True, slots=True)
class UpdatePlan:
    updates: tuple[NameUpdate, ...]
    taken: tuple[bytes, ...]
    """Names that are somebody else's there, though they are said here."""


def plan_updates(desired: Mapping[bytes, Node], observed: Observed, owner: str) -> UpdatePlan:
    """*owner* tells this federation from others that write into the same domain."""
    updates: list[NameUpdate] = []
    taken: list[bytes] = []
    marks = _marks(observed, owner)
    for name in sorted(desired.keys() | marks.keys()):
        node = {k: v for k, v in desired.get(name, EMPTY).items() if k not in _LEFT_ALONE}
        try:
            mark_name = prefixed(MARK_LABEL, name)
        except IllegalName:
            taken.append(name)
            continue
        before = marks.get(name)
        after = Mark(owner, frozenset(node)) if node else None
        there = observed.get(name, {})
        own = before.types if before is not None else frozenset()
        if any(kind in there for kind in node.keys() - own):
            taken.append(name)
            continue
        if before is None and (after is None or mark_name in observed):
            if after is not None:
                taken.append(name)
            continue
        if before == after and all(_same(there.get(kind), node[kind]) for kind in node):
            continue
        updates.append(NameUpdate(name, mark_name, before, after, node))
    return UpdatePlan(tuple(updates), tuple(taken))


def _same(there: tuple[int, frozenset[bytes]] | None, wanted: RecordSet) -> bool:
    return there == (wanted.ttl, frozenset(wanted.data))


def _marks(observed: Observed, owner: str) -> dict[bytes, Mark]:
    """Marks of *owner*, by the name each speaks of."""
    found: dict[bytes, Mark] = {}
    for name, sets in observed.items():
        label = next(iter(labels_of(name)), b"")
        if label != MARK_LABEL.encode() or TXT not in sets:
            continue
        mark = _read_mark(sets[TXT][1])
        if mark is not None and mark.owner == owner:
            found[name[1 + len(label) :]] = mark
    return found


def _read_mark(data: Iterable[bytes]) -> Mark | None:
    for one in data:
        words = one[1:].decode("utf-8", "replace")
        fields = dict(part.split("=", 1) for part in _fields(words) if "=" in part)
        if fields.get("heritage") == "hanse" and "types" in fields:
            types = [kind for kind in fields["types"].split(",") if kind.isascii()]
            known = frozenset(int(kind) for kind in types if kind.isdigit())
            return Mark(fields.get("owner", ""), known)
    return None


def _fields(words: str) -> list[str]:
    """`a=1,types=1,28` in its three parts: the last may hold commas."""
    head, found, types = words.partition("types=")
    return [*head.rstrip(",").split(","), f"types={types}"] if found else head.split(",")
