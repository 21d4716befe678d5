"""What lies in WORK, as dispatch must know it: a digest and a sequence per subject, no manifests.

Fed by following the stream, and by dispatch's own acknowledged writes, which it need not wait to
see come back. The higher sequence of a subject always wins.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace

import msgspec
import structlog

from services.propagator.core.works import Held, held_by
from shared.apimachinery.manifest import ObjectKey
from shared.bus.port import Bus, CaughtUp, Message
from shared.bus.topology import WORK
from shared.events import subjects
from shared.events.work import decode_order

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
        # Subjects forgotten before their own echo came back, up to which sequence.
        self._forgotten: dict[tuple[ObjectKey, str], int] = {}
        self._read_up_to = 0
        self._listeners: list[Listener] = []
        self.caught_up = asyncio.Event()

    def of(self, key: ObjectKey) -> Mapping[str, Held]:
        """Cluster -> what it is told about *key*, tombstones included."""
        return self._held.get(key) or {}

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
                if isinstance(message, CaughtUp):
                    self.caught_up.set()
                else:
                    self._read(message)

    async def refresh(self, key: ObjectKey, cluster: str) -> None:
        """Read the subject again: somebody else wrote or purged it."""
        message = await self._bus.last(WORK, subjects.work(cluster, key))
        if message is None:
            self._drop(key, cluster)
        else:
            self._put(key, cluster, held_by(decode_order(message.body), message.sequence))

    def record(self, key: ObjectKey, cluster: str, held: Held) -> None:
        """Remember a write of our own that was acknowledged."""
        known = self.of(key).get(cluster)
        if known is None or known.sequence <= held.sequence:
            self._put(key, cluster, replace(held, ours=True))

    def forget(self, key: ObjectKey, cluster: str, sequence: int) -> None:
        """Remember that the subject was purged up to *sequence*."""
        known = self.of(key).get(cluster)
        if known is not None and known.sequence <= sequence:
            if sequence > self._read_up_to:
                self._forgotten[key, cluster] = sequence
            self._drop(key, cluster)

    def _read(self, message: Message) -> None:
        self._read_up_to = max(self._read_up_to, message.sequence)
        try:
            cluster, key = subjects.parse_member_subject(message.subject)
            if self._is_known(key, cluster, message.sequence):
                return
            order = decode_order(message.body)
        except (ValueError, msgspec.DecodeError):
            log.warning("work.undecodable", subject=message.subject, sequence=message.sequence)
            return
        self._put(key, cluster, held_by(order, message.sequence))
        for listener in tuple(self._listeners):
            listener(key)

    def _is_known(self, key: ObjectKey, cluster: str, sequence: int) -> bool:
        forgotten = self._forgotten.get((key, cluster))
        if forgotten is not None:
            if sequence >= forgotten:
                del self._forgotten[key, cluster]
            if sequence <= forgotten:
                return True
        known = self.of(key).get(cluster)
        return known is not None and known.sequence >= sequence

    def _put(self, key: ObjectKey, cluster: str, held: Held) -> None:
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
