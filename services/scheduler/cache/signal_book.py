"""What is known of clusters by signals, kept as the store and two boards tell it."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import structlog

from services.scheduler.core.signals.values import ClusterSignals, Signals
from shared.bus.port import Board, BoardEntry, CaughtUp
from shared.errors import MalformedEvent
from shared.events.round_trips import decode_round_trip, parse_round_trip_key
from shared.events.scores import decode_score, parse_score_key

log = structlog.get_logger("hanse.scheduler")

_EXPIRED_MAX = 10_000
_CATCHING_UP_SECONDS = 2.0
"""What is decided without a score is decided nevertheless."""


class SignalBook:
    """Told of every Cluster and every score; a snapshot is made when one is asked for."""

    def __init__(self) -> None:
        self._clusters: dict[str, ClusterSignals] = {}
        self._published: dict[str, dict[str, float]] = {}
        self._expired: dict[tuple[str, str], None] = {}
        self._measured: dict[tuple[str, str], float] = {}
        self._snapshot: Signals | None = None

    @property
    def now(self) -> Signals:
        """The signals of this moment; the same object until one changes."""
        if self._snapshot is None:
            self._snapshot = Signals(
                clusters=dict(self._clusters),
                published={name: dict(values) for name, values in self._published.items()},
                expired=frozenset(self._expired),
                measured=dict(self._measured),
            )
        return self._snapshot

    def note_cluster(self, name: str, found: ClusterSignals | None) -> None:
        """Take in what a Cluster says; None: there is none of that name."""
        if self._clusters.get(name) == found:
            return
        if found is None:
            del self._clusters[name]
        else:
            self._clusters[name] = found
        self._snapshot = None

    def note_score(self, name: str, cluster: str, value: float | None) -> None:
        """Take in a published score; None: it has expired, or was taken back."""
        values = self._published.setdefault(name, {})
        if values.get(cluster) == value:
            return
        self._snapshot = None
        if value is not None:
            values[cluster] = value
            self._expired.pop((name, cluster), None)
            return
        del values[cluster]
        self._expired[name, cluster] = None
        if len(self._expired) > _EXPIRED_MAX:
            del self._expired[next(iter(self._expired))]

    def note_round_trip(self, origin: str, target: str, milliseconds: float | None) -> None:
        """Take in what was measured; None: it has expired."""
        if self._measured.get((origin, target)) == milliseconds:
            return
        self._snapshot = None
        if milliseconds is None:
            del self._measured[origin, target]
        else:
            self._measured[origin, target] = milliseconds


Note = Callable[[SignalBook, BoardEntry], None]


class SignalFollower:
    """Keeps a book as a board has it, by *note*."""

    def __init__(self, board: Board, book: SignalBook, note: Note) -> None:
        self._board = board
        self._book = book
        self._note = note
        self._caught_up = asyncio.Event()

    async def run(self) -> None:
        """Follow the board until cancelled."""
        async with self._board.follow() as entries:
            async for entry in entries:
                if isinstance(entry, CaughtUp):
                    self._caught_up.set()
                else:
                    self._note(self._book, entry)

    async def caught_up(self) -> None:
        """Return once what lay on the board is known, and soon in any case."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_CATCHING_UP_SECONDS):
                await self._caught_up.wait()


def note_score(book: SignalBook, entry: BoardEntry) -> None:
    """Take in an entry of the board SCORES."""
    try:
        name, cluster = parse_score_key(entry.key)
        value = decode_score(entry.value).value if entry.value is not None else None
    except (ValueError, MalformedEvent) as err:
        # The registry writes what can be read.
        log.warning("score.unreadable", key=entry.key, error=str(err))
        return
    book.note_score(name, cluster, value)


def note_round_trip(book: SignalBook, entry: BoardEntry) -> None:
    """Take in an entry of the board LATENCIES."""
    try:
        origin, target = parse_round_trip_key(entry.key)
        found = decode_round_trip(entry.value).milliseconds if entry.value is not None else None
    except (ValueError, MalformedEvent) as err:
        log.warning("round-trip.unreadable", key=entry.key, error=str(err))
        return
    book.note_round_trip(origin, target, found)
