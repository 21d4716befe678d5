"""What is known of clusters by signals, kept as the store and the board SCORES tell it."""

import asyncio
from contextlib import suppress

import structlog

from services.scheduler.core.signals.values import ClusterSignals, Signals
from shared.bus.port import BoardEntry, Bus, CaughtUp
from shared.errors import MalformedEvent
from shared.events.scores import BOARD, decode_score, parse_score_key

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
        self._snapshot: Signals | None = None

    @property
    def now(self) -> Signals:
        """The signals of this moment; the same object until one changes."""
        if self._snapshot is None:
            self._snapshot = Signals(
                clusters=dict(self._clusters),
                published={name: dict(values) for name, values in self._published.items()},
                expired=frozenset(self._expired),
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


class ScoreFollower:
    """Keeps a book as the board has it."""

    def __init__(self, bus: Bus, book: SignalBook) -> None:
        self._board = bus.board(BOARD)
        self._book = book
        self._caught_up = asyncio.Event()

    async def run(self) -> None:
        """Follow the board until cancelled."""
        async with self._board.follow() as entries:
            async for entry in entries:
                if isinstance(entry, CaughtUp):
                    self._caught_up.set()
                else:
                    _note(self._book, entry)

    async def caught_up(self) -> None:
        """Return once what lay on the board is known, and soon in any case."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_CATCHING_UP_SECONDS):
                await self._caught_up.wait()


def _note(book: SignalBook, entry: BoardEntry) -> None:
    try:
        name, cluster = parse_score_key(entry.key)
        value = decode_score(entry.value).value if entry.value is not None else None
    except (ValueError, MalformedEvent) as err:
        # The registry writes what can be read.
        log.warning("score.unreadable", key=entry.key, error=str(err))
        return
    book.note_score(name, cluster, value)
