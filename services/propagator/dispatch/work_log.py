"""What lies in WORK, as dispatch must know it: a digest and a sequence per subject, no manifests.

Fed by following the stream, and by dispatch's own acknowledged writes, which it need not wait to
see come back. The higher sequence of a subject always wins.
"""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace

import msgspec
import structlog

from services.propagator.core.works import Held, held_by
from shared.apimachinery.manifest import ObjectKey
from shared.bus.port import Bus, CaughtUp, Message
from shared.bus.topology import ENDS_KEPT, WORK
from shared.events import subjects
from shared.events.work import WorkOrder, decode_order, is_end

log = structlog.get_logger("hanse.propagator")

Listener = Callable[[ObjectKey], None]


class WorkLog:
    """The mirror of WORK; `run` keeps it."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._held: dict[ObjectKey, dict[str, Held]] = {}
        self._inhabitants: dict[str, Counter[str]] = {}
        # Of those, the ones that are to be there.
        self._living: dict[str, Counter[str]] = {}
        self._by_cluster: dict[str, set[ObjectKey]] = {}
        # Ends that lie there still: the sequence of each, and when it was heard of.
        self._ended: OrderedDict[tuple[ObjectKey, str], tuple[int, float]] = OrderedDict()
        self._listeners: list[Listener] = []
        self.caught_up = asyncio.Event()

    def of(self, key: ObjectKey) -> Mapping[str, Held]:
        """Cluster -> what it is told about *key*, tombstones included."""
        return self._held.get(key) or {}

    def last_of(self, key: ObjectKey, cluster: str) -> int:
        """The sequence that the next write must expect; 0 where the subject is empty."""
        held = self.of(key).get(cluster)
        if held is not None:
            return held.sequence
        return self._ended.get((key, cluster), (0, 0.0))[0]

    def inhabited(self, namespace: str) -> Mapping[str, int]:
        """Cluster -> how many works lie in *namespace*, unconfirmed removals included."""
        return self._inhabitants.get(namespace) or {}

    def living(self, namespace: str) -> Mapping[str, int]:
        """Cluster -> how many works in *namespace* are to be there: removals do not count."""
        return self._living.get(namespace) or {}

    def held_in(self, cluster: str) -> set[ObjectKey]:
        return set(self._by_cluster.get(cluster) or ())

    def on_change(self, listener: Listener) -> Callable[[], None]:
        """Call *listener* for what is known, and for what others write from now on.

        Returns the way to stop.
        """
        self._listeners.append(listener)
        for key in tuple(self._held):
            listener(key)
        return lambda: self._listeners.remove(listener)

    async def run(self) -> None:
        async with self._bus.follow(WORK, [f"{subjects.WORK}.>"]) as messages:
            async for message in messages:
                self.take(message)

    def take(self, message: Message | CaughtUp) -> None:
        """Take note of what the stream told."""
        if isinstance(message, CaughtUp):
            self._forget_beside(message)
            self.caught_up.set()
        else:
            self._read(message)

    async def refresh(self, key: ObjectKey, cluster: str) -> None:
        """Read the subject again: somebody else wrote it, or its end expired."""
        message = await self._bus.last(WORK, subjects.work(cluster, key))
        self._ended.pop((key, cluster), None)
        if message is None:
            self._drop(key, cluster)
        elif is_end(message.headers):
            self._drop(key, cluster)
            self.end(key, cluster, message.sequence)
        elif (order := decode_order(message.body)).is_dispatched:
            self._put(key, cluster, held_by(order, message.sequence))
        else:
            # Somebody else's object; whoever decides wins over it.
            self.end(key, cluster, message.sequence)

    def record(self, key: ObjectKey, cluster: str, order: WorkOrder, sequence: int) -> None:
        """Remember a write of our own that was acknowledged."""
        if self.last_of(key, cluster) <= sequence:
            self._put(key, cluster, replace(held_by(order, sequence), ours=True))

    def end(self, key: ObjectKey, cluster: str, sequence: int) -> None:
        """Remember that the subject ended with message *sequence*, which expires by itself."""
        if self.last_of(key, cluster) > sequence:
            return
        self._drop(key, cluster)
        now = asyncio.get_running_loop().time()
        self._ended.pop((key, cluster), None)
        self._ended[key, cluster] = sequence, now
        while next(iter(self._ended.values()))[1] < now - ENDS_KEPT.total_seconds():
            self._ended.popitem(last=False)

    def confirm(self, key: ObjectKey, cluster: str, sequence: int) -> bool:
        """Note that the member carried out tombstone *sequence*.

        Returns whether that was news, and every tombstone of *key* is carried out now.
        """
        held = self.of(key)
        known = held.get(cluster)
        if known is None or known.sequence != sequence or not known.deleted or known.confirmed:
            return False
        self._put(key, cluster, replace(known, confirmed=True))
        return all(one.confirmed for one in self.of(key).values() if one.deleted)

    def _read(self, message: Message) -> None:
        try:
            cluster, key = subjects.parse_member_subject(message.subject)
            if self.last_of(key, cluster) >= message.sequence:
                return
            if is_end(message.headers):
                self.end(key, cluster, message.sequence)
            elif (order := decode_order(message.body)).is_dispatched:
                self._put(key, cluster, held_by(order, message.sequence))
            elif cluster in self.of(key):
                self.end(key, cluster, message.sequence)
            else:
                return
        except (ValueError, msgspec.DecodeError):
            log.warning("work.undecodable", subject=message.subject, sequence=message.sequence)
            return
        self._tell(key)

    def _forget_beside(self, caught_up: CaughtUp) -> None:
        """Drop what ended while nobody listened, and whose end expired meanwhile."""
        if caught_up.shown is None:
            return
        for key, clusters in list(self._held.items()):
            for cluster, held in list(clusters.items()):
                shown = subjects.work(cluster, key) in caught_up.shown
                if not shown and held.sequence <= caught_up.sequence:
                    self._drop(key, cluster)
                    self._tell(key)

    def _tell(self, key: ObjectKey) -> None:
        for listener in tuple(self._listeners):
            listener(key)

    def _put(self, key: ObjectKey, cluster: str, held: Held) -> None:
        self._ended.pop((key, cluster), None)
        clusters = self._held.setdefault(key, {})
        before = clusters.get(cluster)
        if before is None:
            self._by_cluster.setdefault(cluster, set()).add(key)
            _count(self._inhabitants, key.namespace, cluster, 1)
        _count(self._living, key.namespace, cluster, _lives(held) - _lives(before))
        clusters[cluster] = held

    def _drop(self, key: ObjectKey, cluster: str) -> None:
        clusters = self._held.get(key)
        before = clusters.pop(cluster, None) if clusters is not None else None
        if before is None:
            return
        if not clusters:
            del self._held[key]
        keys = self._by_cluster[cluster]
        keys.discard(key)
        if not keys:
            del self._by_cluster[cluster]
        _count(self._inhabitants, key.namespace, cluster, -1)
        _count(self._living, key.namespace, cluster, -_lives(before))


def _lives(held: Held | None) -> bool:
    return held is not None and not held.deleted


def _count(counts: dict[str, Counter[str]], namespace: str, cluster: str, change: int) -> None:
    if not namespace or not change:
        return
    found = counts.setdefault(namespace, Counter())
    found[cluster] += change
    if not found[cluster]:
        del found[cluster]
        if not found:
            del counts[namespace]
