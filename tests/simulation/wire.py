"""Lines between a process and what it talks to: NATS, or one member's API.

A request is on its own once it was sent: it arrives, late or never, whether or not its sender still
waits. So every call may fail before its effect or after, and take effect after it was given up.
"""

import asyncio
import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from tests.simulation.history import History, actor

LAST_WORDS_SECONDS = 1.0
"""For so long what a process sent before its death may still arrive."""
DEAD = "this process is dead"
"""What every request of one that was killed ends with."""

Effect = Callable[[], Coroutine[Any, Any, Any]]
MakeError = Callable[[str], Exception]


@dataclass(slots=True)
class Weather:
    """How likely each request and each message meets with what; `calm()` ends it all."""

    lost: float = 0.0
    unanswered: float = 0.0
    slow: float = 0.0
    """On its way for up to `slow_seconds`."""

    slow_seconds: float = 20.0
    crash: float = 0.0
    """The sender dies right before its request goes, or right after it took effect."""

    repeated: float = 0.0
    latency: tuple[float, float] = (0.0005, 0.004)

    def calm(self) -> None:
        self.lost = self.unanswered = self.slow = self.crash = self.repeated = 0.0


class Incarnation:
    """One life of a process: what it sends and hears ends with it."""

    def __init__(self, name: str, history: History) -> None:
        self.name = name
        self.dead = False
        self._history = history
        self._endings: list[Callable[[], object]] = []

    def at_death(self, ending: Callable[[], object]) -> None:
        self._endings.append(ending)

    def die(self, how: str) -> None:
        """At once and without a word to anyone."""
        if self.dead:
            return
        self.dead = True
        token = actor.set(self.name)
        self._history.note(how)
        actor.reset(token)
        for ending in self._endings:
            ending()


def run_now(effect: Coroutine[Any, Any, Any]) -> Any:
    """Run what never waits to its end."""
    try:
        effect.send(None)
    except StopIteration as end:
        return end.value
    effect.close()
    raise AssertionError("it waits")


class Line:
    """One connection. `out_cut` and `in_cut` say which way nothing gets through."""

    def __init__(
        self,
        life: Incarnation,
        to: str,
        weather: Weather,
        chance: random.Random,
        *,
        deadline: float,
        ordered: bool,
    ) -> None:
        self.life = life
        self.to = to
        self.weather = weather
        self.chance = chance
        self.out_cut = False
        self.in_cut = False
        self._loop = asyncio.get_running_loop()
        self._deadline = deadline
        self._ordered = ordered
        self._last_out = self._last_in = 0.0
        # What waits for the line to heal.
        self._stuck: list[Callable[[], None]] = []
        self._unheard: list[Callable[[], None]] = []
        self._healed: list[Callable[[], None]] = []
        life.at_death(self._end)

    def _end(self) -> None:
        self._stuck.clear()
        self._unheard.clear()
        self._healed.clear()

    @property
    def whole(self) -> bool:
        return not (self.out_cut or self.in_cut or self.life.dead)

    # Cutting.

    def cut(self, *, out: bool, back: bool) -> None:
        self.out_cut, self.in_cut = self.out_cut or out, self.in_cut or back

    def heal(self) -> None:
        """What was under way in a buffer may arrive after all."""
        if not (self.out_cut or self.in_cut):
            return
        self.out_cut = self.in_cut = False
        stuck, self._stuck = self._stuck, []
        unheard, self._unheard = self._unheard, []
        for deliver in (*stuck, *unheard):
            deliver()
        for listener in tuple(self._healed):
            listener()

    def on_heal(self, listener: Callable[[], None]) -> Callable[[], None]:
        self._healed.append(listener)
        return lambda: self._healed.remove(listener) if listener in self._healed else None

    # Requests.

    async def request(
        self, what: str, effect: Effect, *, unsent: MakeError, unknown: MakeError
    ) -> Any:
        """Have *effect* take place at the other end, and return its outcome."""
        if self.life.dead:
            raise unsent(DEAD)
        weather, chance = self.weather, self.chance
        crash = chance.random() if weather.crash else 1.0
        if crash < weather.crash / 2:
            self.life.die(f"crashes before {what}")
        call = _Call(self, what, effect, unknown, dies=weather.crash / 2 <= crash < weather.crash)
        delay = self._delay()
        if self.life.dead or (weather.lost and chance.random() < weather.lost):
            call.fail_in_time()
        elif self.out_cut:
            if chance.random() < 0.5:
                self._stuck.append(call.arrive)
            call.fail_in_time()
        else:
            due = self._loop.time() + delay
            if self._ordered:
                due = self._last_out = max(due, self._last_out + 1e-6)
            self._loop.call_at(due, call.arrive)
            if delay > self._deadline:
                call.fail_in_time()
        return await call.future

    def tell(self, effect: Callable[[], None]) -> None:
        """Send something whose loss nobody notices."""
        if self.life.dead or self.out_cut or self.chance.random() < self.weather.lost:
            return
        due = self._loop.time() + self._delay()
        if self._ordered:
            due = self._last_out = max(due, self._last_out + 1e-6)
        self._loop.call_at(due, effect)

    def hear(self, deliver: Callable[[], None], *, ordered: bool = True) -> None:
        """Hand out something the other end sent by itself."""
        if self.life.dead:
            return
        if self.in_cut:
            self._unheard.append(lambda: self.hear(deliver, ordered=ordered))
            return
        due = self._loop.time() + self._delay()
        if ordered:
            due = self._last_in = max(due, self._last_in + 1e-6)

        def arrive() -> None:
            if self.in_cut:
                self._unheard.append(deliver)
            elif not self.life.dead:
                deliver()

        self._loop.call_at(due, arrive)

    @property
    def deadline(self) -> float:
        return self._deadline

    def _delay(self) -> float:
        weather, chance = self.weather, self.chance
        if weather.slow and chance.random() < weather.slow:
            return chance.uniform(0.05, weather.slow_seconds)
        low, high = weather.latency
        return low + (high - low) * chance.random()


class _Call:
    """One request and its answer."""

    __slots__ = ("_dies", "_effect", "_line", "_sent", "_unknown", "_what", "future")

    def __init__(
        self, line: Line, what: str, effect: Effect, unknown: MakeError, *, dies: bool
    ) -> None:
        self.future: asyncio.Future[Any] = line._loop.create_future()
        self._line = line
        self._what = what
        self._effect = effect
        self._unknown = unknown
        self._dies = dies
        self._sent = line._loop.time()

    def fail_in_time(self) -> None:
        """Nobody is going to answer."""
        line = self._line
        due = max(self._sent + line._deadline, line._loop.time())
        line._loop.call_at(due, self._fail)

    def _fail(self) -> None:
        if not self.future.done():
            self.future.set_exception(
                self._unknown(f"{self._what}: no answer from {self._line.to}")
            )

    def arrive(self) -> None:
        """Take effect, and answer."""
        line = self._line
        if line.life.dead and (
            line._loop.time() - self._sent > LAST_WORDS_SECONDS or line.chance.random() < 0.5
        ):
            return
        try:
            outcome: Any = run_now(self._effect())
            failed = False
        except Exception as err:  # noqa: BLE001 - it is the answer.
            outcome, failed = err, True
        if self._dies:
            line.life.die(f"crashes after {self._what}")
        weather = line.weather
        if line.life.dead:
            return
        if isinstance(outcome, Unanswered) or (
            weather.unanswered and line.chance.random() < weather.unanswered
        ):
            self.fail_in_time()
            return
        if line.in_cut:
            self.fail_in_time()
            return

        def answer() -> None:
            if self.future.done():
                return
            if line.in_cut:
                self.fail_in_time()
            elif failed:
                self.future.set_exception(outcome)
            else:
                self.future.set_result(outcome)

        due = line._loop.time() + line._delay()
        if line._ordered:
            due = line._last_in = max(due, line._last_in + 1e-6)
        if due > self._sent + line._deadline:
            self.fail_in_time()
        else:
            line._loop.call_at(due, answer)


class Unanswered(Exception):
    """Raised by an effect: the other end took the request and will never answer."""
