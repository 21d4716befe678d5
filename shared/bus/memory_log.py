"""One stream of the in-memory bus: its messages, its readers, its durable positions."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from shared.bus.dead_letters import exhausted
from shared.bus.matching import matches_any
from shared.bus.port import CaughtUp, Message
from shared.bus.topology import Consumer, Stream
from shared.errors import StaleRevision
from shared.events.envelope import MESSAGE_ID

DUPLICATE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class _Held:
    message: Message
    at: float


class MemoryLog:
    """The messages of one stream, limited as the stream is declared."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.sequence = 0
        self._held: dict[int, _Held] = {}
        self._subjects: dict[str, deque[int]] = {}
        self._bytes = 0
        self._seen: dict[str, tuple[int, float]] = {}
        # In order of coming, so that the same run hands out the same way.
        self._followers: dict[MemoryFollower, None] = {}
        self._positions: dict[str, MemoryPosition] = {}

    def append(self, message: Message, expected: int | None) -> int:
        """Raise `StaleRevision` unless *expected* is the subject's last sequence."""
        now = asyncio.get_running_loop().time()
        identity = message.headers.get(MESSAGE_ID)
        if identity in self._seen and now - self._seen[identity][1] < DUPLICATE_SECONDS:
            return self._seen[identity][0]
        last = self._subjects.get(message.subject)
        if expected is not None and expected != (last[-1] if last else 0):
            raise StaleRevision(f"{message.subject} moved on: not at {expected}")
        self.sequence += 1
        stored = replace(message, sequence=self.sequence)
        self._held[self.sequence] = _Held(stored, now)
        self._subjects.setdefault(message.subject, deque()).append(self.sequence)
        self._bytes += len(message.body)
        if identity is not None:
            self._seen[identity] = (self.sequence, now)
        self._trim(message.subject, now)
        for follower in tuple(self._followers):
            follower.offer(stored)
        for position in tuple(self._positions.values()):
            position.offer(stored)
        return self.sequence

    def _trim(self, subject: str, now: float) -> None:
        limit = 1 if self.stream.rolled_up else self.stream.per_subject_max
        while 0 < limit < len(self._subjects[subject]):
            self.drop(self._subjects[subject][0])
        age_max = self.stream.age_max.total_seconds() if self.stream.age_max else None
        while self._held:
            oldest = next(iter(self._held))
            old = age_max is not None and now - self._held[oldest].at > age_max
            if not old and not 0 < self.stream.bytes_max < self._bytes:
                break
            self.drop(oldest)
        while self._seen and now - next(iter(self._seen.values()))[1] > DUPLICATE_SECONDS:
            del self._seen[next(iter(self._seen))]

    def drop(self, sequence: int) -> None:
        held = self._held.pop(sequence, None)
        if held is None:
            return
        self._bytes -= len(held.message.body)
        left = self._subjects[held.message.subject]
        left.remove(sequence)
        if not left:
            del self._subjects[held.message.subject]

    def purge(self, subject: str, up_to: int) -> None:
        for sequence in [one for one in self._subjects.get(subject, ()) if one <= up_to]:
            self.drop(sequence)

    def read(self, sequence: int) -> Message | None:
        held = self._held.get(sequence)
        return held.message if held else None

    def last(self, subject: str) -> Message | None:
        found = self._subjects.get(subject)
        return self.read(found[-1]) if found else None

    def all(self, filters: Sequence[str]) -> list[Message]:
        return [
            held.message
            for held in self._held.values()
            if matches_any(filters, held.message.subject)
        ]

    def past(self, filters: Sequence[str], recent: timedelta | None = None) -> list[Message]:
        """The last message of each subject; with *recent* all that are no older."""
        found = self.all(filters)
        if recent is None:
            return [one for one in found if self._subjects[one.subject][-1] == one.sequence]
        begin = asyncio.get_running_loop().time() - recent.total_seconds()
        return [one for one in found if self._held[one.sequence].at >= begin]

    def follow(self, filters: Sequence[str], recent: timedelta | None = None) -> "MemoryFollower":
        follower = MemoryFollower(filters)
        for message in self.past(filters, recent):
            follower.queue.put_nowait(message)
        follower.queue.put_nowait(CaughtUp(self.sequence))
        self._followers[follower] = None
        return follower

    def unfollow(self, follower: "MemoryFollower") -> None:
        self._followers.pop(follower, None)

    def position(self, consumer: Consumer) -> "MemoryPosition":
        if consumer.name not in self._positions:
            self._positions[consumer.name] = MemoryPosition(self, consumer)
        return self._positions[consumer.name]

    def forget_position(self, name: str) -> None:
        position = self._positions.pop(name, None)
        if position is not None:
            position.close()


class MemoryFollower:
    """What one reader of a log has still to read."""

    def __init__(self, filters: Sequence[str]) -> None:
        self._filters = tuple(filters)
        self.queue: asyncio.Queue[Message | CaughtUp] = asyncio.Queue()

    def offer(self, message: Message) -> None:
        if matches_any(self._filters, message.subject):
            self.queue.put_nowait(message)

    def __aiter__(self) -> AsyncIterator[Message | CaughtUp]:
        return self

    async def __anext__(self) -> Message | CaughtUp:
        return await self.queue.get()


@dataclass(slots=True, eq=False)
class Handout:
    """A message in a worker's hands."""

    message: Message
    attempt: int
    worker: "MemoryWorker"
    timer: asyncio.TimerHandle | None = None


class MemoryWorker:
    """One process at a position."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Handout] = asyncio.Queue()


class MemoryPosition:
    """A durable position: what is still to do, and what is in whose hands."""

    def __init__(self, log: MemoryLog, consumer: Consumer) -> None:
        self.consumer = consumer
        self._log = log
        self._todo: deque[int] = deque(one.sequence for one in log.all(consumer.filters))
        self._attempts: dict[int, int] = {}
        self._out: dict[int, Handout] = {}
        self._later: set[asyncio.TimerHandle] = set()
        self.workers: list[MemoryWorker] = []
        self._turn = 0

    def offer(self, message: Message) -> None:
        if matches_any(self.consumer.filters, message.subject):
            self._todo.append(message.sequence)
            self._hand_out()

    def join(self, worker: MemoryWorker) -> None:
        self.workers.append(worker)
        self._hand_out()

    def leave(self, worker: MemoryWorker) -> None:
        """What *worker* has not answered goes to the others, at once."""
        self.workers.remove(worker)
        for handout in [one for one in self._out.values() if one.worker is worker]:
            self.give_back(handout, timedelta(0))
        self._hand_out()

    def close(self) -> None:
        for handout in self._out.values():
            if handout.timer is not None:
                handout.timer.cancel()
        for timer in self._later:
            timer.cancel()
        self._out.clear()
        self.workers.clear()

    def finish(self, handout: Handout) -> None:
        if self._take_back(handout):
            self._attempts.pop(handout.message.sequence, None)
            if self._log.stream.work_queue:
                self._log.drop(handout.message.sequence)
            self._hand_out()

    def give_back(self, handout: Handout, after: timedelta) -> None:
        if not self._take_back(handout):
            return
        sequence, seconds = handout.message.sequence, after.total_seconds()
        if seconds <= 0:
            self._again(sequence)
            return

        def later() -> None:
            self._later.discard(timer)
            self._again(sequence)

        timer = asyncio.get_running_loop().call_later(seconds, later)
        self._later.add(timer)

    def extend(self, handout: Handout) -> None:
        if self._out.get(handout.message.sequence) is handout:
            self._set_timer(handout)

    def holds(self, handout: Handout) -> bool:
        """Whether it is still out: it may have been waiting longer than `ack_wait`."""
        return self._out.get(handout.message.sequence) is handout

    def is_exhausted(self, handout: Handout) -> bool:
        return exhausted(self.consumer, handout.attempt)

    def _again(self, sequence: int) -> None:
        self._todo.appendleft(sequence)
        self._hand_out()

    def _take_back(self, handout: Handout) -> bool:
        if self._out.get(handout.message.sequence) is not handout:
            return False
        del self._out[handout.message.sequence]
        if handout.timer is not None:
            handout.timer.cancel()
        return True

    def _set_timer(self, handout: Handout) -> None:
        if self.consumer.kept:
            return
        if handout.timer is not None:
            handout.timer.cancel()
        give_back: Callable[[], None] = lambda: self.give_back(handout, timedelta(0))  # noqa: E731
        handout.timer = asyncio.get_running_loop().call_later(
            self.consumer.ack_wait.total_seconds(), give_back
        )

    def _hand_out(self) -> None:
        while self.workers and self._todo and len(self._out) < self.consumer.pending_max:
            sequence = self._todo.popleft()
            message = self._log.read(sequence)
            if message is None:
                # Superseded or purged since: only the newer one counts.
                self._attempts.pop(sequence, None)
                continue
            attempt = self._attempts[sequence] = self._attempts.get(sequence, 0) + 1
            handout = Handout(message, attempt, self._next_worker())
            self._out[sequence] = handout
            self._set_timer(handout)
            handout.worker.queue.put_nowait(handout)

    def _next_worker(self) -> MemoryWorker:
        if self.consumer.exclusive:
            return self.workers[0]
        self._turn += 1
        return self.workers[self._turn % len(self.workers)]
