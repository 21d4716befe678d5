"""The troubles: what is broken, while people change what they run."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from tests.chaos.ground import Ground, Shape
from tests.chaos.link import Direction, Link
from tests.chaos.load import Load
from tests.chaos.restarting import restart, restart_node

PAUSE_SECONDS = 0.05


@dataclass(slots=True)
class Trouble:
    """One scenario under way."""

    ground: Ground
    load: Load
    chance: random.Random
    changes: int
    """How many changes are made meanwhile."""

    broken: Counter[str] = field(default_factory=Counter)
    """What was broken, and how often."""

    async def meanwhile(self, breaking: Callable[[], Awaitable[None]]) -> None:
        """Do all changes, *breaking* again and again until they are done."""

        async def for_ever() -> None:
            while True:
                await breaking()

        troubling = asyncio.create_task(for_ever())
        changing = asyncio.create_task(self.load.change(self.changes, PAUSE_SECONDS))
        try:
            await asyncio.wait((troubling, changing), return_when=asyncio.FIRST_COMPLETED)
            # Nothing ends it but what went wrong in it.
            if troubling.done():
                await troubling
            await changing
        finally:
            for task in (troubling, changing):
                task.cancel()
            await asyncio.gather(troubling, changing, return_exceptions=True)

    async def wait(self, least: float, most: float) -> None:
        await asyncio.sleep(self.chance.uniform(least, most))

    def kill(self, child: str) -> None:
        """SIGKILL a process, which its supervisor starts again."""
        running = self.ground.federation.supervisor.child(child)
        if running.pid is not None:
            running.kill()
            self.broken[f"{child} killed"] += 1


Breaking = Callable[[Trouble], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Scenario:
    name: str
    what: str
    """One sentence for the report."""

    run: Breaking
    shape: Shape = field(default_factory=Shape)
    changes: int = 300
    unfailing: bool = False
    """Whether no request may fail meanwhile."""


async def kill_one(trouble: Trouble) -> None:
    """Kill a service or NATS."""
    children = trouble.ground.federation.supervisor.children()
    # A member that is killed forgets what it held, which is another trouble.
    names = [each.command.name for each in children]
    victims = [name for name in names if not name.startswith("member-")]
    await trouble.wait(0.5, 2.5)
    trouble.kill(trouble.chance.choice(victims))


async def lose_nats(trouble: Trouble) -> None:
    """Kill NATS, and let it be away for up to some seconds."""
    federation = trouble.ground.federation
    nats = federation.supervisor.child(trouble.chance.choice(sorted(trouble.ground.nats)))
    await trouble.wait(1.0, 5.0)
    nats.hold()
    trouble.broken["nats away"] += 1
    await trouble.wait(0.0, 4.0)
    nats.release()
    # It is not away for longer than it is there.
    await trouble.wait(4.0, 6.0)


async def sour_link(trouble: Trouble) -> None:
    """Let a link be slow, reset, cut or silent in one direction or both, for some seconds."""
    ground = trouble.ground
    links = {**ground.nats, **ground.members}
    name = trouble.chance.choice(sorted(links))
    await trouble.wait(0.0, 1.0)
    what = _fault(links[name], trouble.chance)
    trouble.broken[f"link to {'nats' if name in ground.nats else 'a member'} {what}"] += 1
    await trouble.wait(0.5, 4.0)
    links[name].heal()


def _fault(link: Link, chance: random.Random) -> str:
    what = chance.choice(("reset", "cut", "slow", "silent forth", "silent back", "silent"))
    match what:
        case "reset":
            link.reset()
        case "cut":
            link.cut()
        case "slow":
            link.delay = chance.uniform(0.05, 0.5)
        case "silent forth":
            link.silence(Direction.FORTH)
        case "silent back":
            link.silence(Direction.BACK)
        case _:
            link.silence()
    return what


def again_and_again(breaking: Breaking) -> Breaking:
    """Break that while people change things."""

    async def run(trouble: Trouble) -> None:
        await trouble.meanwhile(lambda: breaking(trouble))

    return run


async def break_any(trouble: Trouble) -> None:
    """Break one thing or another."""
    await trouble.chance.choice((kill_one, lose_nats, sour_link))(trouble)


async def _cut_meanwhile(trouble: Trouble, names: Sequence[str], seconds: float) -> None:
    """Cut *names* off for the time of the changes, *seconds* at least."""
    for name in names:
        trouble.ground.members[name].cut()
        trouble.broken["a member cut off"] += 1
    await asyncio.gather(
        trouble.load.change(trouble.changes, PAUSE_SECONDS), asyncio.sleep(seconds)
    )


async def cut_one(trouble: Trouble) -> None:
    """Cut one member off for long."""
    name = trouble.chance.choice(sorted(trouble.ground.members))
    await _cut_meanwhile(trouble, [name], 60.0)


async def cut_many(trouble: Trouble) -> None:
    """Cut three in ten members off at once."""
    names = sorted(trouble.ground.members)
    await _cut_meanwhile(trouble, trouble.chance.sample(names, round(0.3 * len(names))), 60.0)


async def lose_node(trouble: Trouble) -> None:
    """Let one node of NATS' cluster be away for some seconds, and catch up when it is back."""
    await trouble.wait(2.0, 6.0)
    name = trouble.chance.choice(sorted(trouble.ground.nats))
    node = trouble.ground.federation.supervisor.child(name)
    node.hold()
    trouble.broken["a node of three away"] += 1
    await trouble.wait(5.0, 15.0)
    node.release()
    # While it catches up another must not be lost: two of three are needed.
    await trouble.wait(10.0, 15.0)


async def restart_next(trouble: Trouble) -> None:
    """Restart every process that is no member, one after the other."""
    federation = trouble.ground.federation
    names = [each.command.name for each in federation.supervisor.children()]
    for name in names:
        if name.startswith("member-"):
            continue
        is_node = name in trouble.ground.nats
        await (restart_node if is_node else restart)(federation, name)
        trouble.broken["nodes restarted" if is_node else "services restarted"] += 1
        await trouble.wait(0.5, 1.0)


async def restore_old(trouble: Trouble) -> None:
    """Let a member come back as it was half of the changes ago."""
    name = trouble.chance.choice(sorted(trouble.ground.members))
    backup = await trouble.ground.back_up(name)
    await trouble.load.change(trouble.changes // 2, PAUSE_SECONDS)
    # So that nobody works for it who remembers what was removed.
    trouble.kill("propagator")
    await trouble.ground.restore(name, backup)
    trouble.broken["a member restored from an old backup"] += 1
    await trouble.load.change(trouble.changes - trouble.changes // 2, PAUSE_SECONDS)


async def expire_credentials(trouble: Trouble) -> None:
    """Let a member turn Hanse away for half of the changes, until it has new credentials."""
    name = trouble.chance.choice(sorted(trouble.ground.members))
    backup = await trouble.ground.back_up(name)
    await trouble.ground.restore(name, backup, new_token=True)
    trouble.broken["credentials expired"] += 1
    half = trouble.load.change(trouble.changes // 2, PAUSE_SECONDS)
    await asyncio.gather(half, asyncio.sleep(30.0))
    await trouble.ground.hand_over(name)
    await trouble.load.change(trouble.changes - trouble.changes // 2, PAUSE_SECONDS)


async def fill_disk(trouble: Trouble) -> None:
    """Leave NATS no byte to write for some seconds, and start it anew as who frees it would."""
    disk = trouble.ground.disk
    assert disk is not None

    async def fill() -> None:
        await trouble.wait(1.0, 3.0)
        disk.fill()
        trouble.broken["disk full"] += 1
        await trouble.wait(5.0, 10.0)
        disk.free()
        trouble.kill("nats")
        await trouble.wait(5.0, 8.0)

    try:
        await trouble.meanwhile(fill)
    finally:
        disk.free()


SCENARIOS = (
    Scenario(
        "kills",
        "Every service and NATS are killed at random",
        again_and_again(kill_one),
        changes=1_000,
    ),
    Scenario(
        "nats",
        "NATS is killed and away for up to some seconds, again and again",
        again_and_again(lose_nats),
    ),
    Scenario(
        "links",
        "Links are slow, reset, cut, or silent in one direction or both",
        again_and_again(sour_link),
    ),
    Scenario("mix", "All of these at random", again_and_again(break_any)),
    Scenario("cut", "One of three members is cut off for a minute or more", cut_one),
    Scenario(
        "fleet",
        "Three of ten members are cut off at once for a minute or more",
        cut_many,
        Shape(members=10),
    ),
    Scenario(
        "node",
        "One node of three of NATS is killed and away for some seconds, again and again",
        again_and_again(lose_node),
        Shape(nats_nodes=3),
        changes=600,
        unfailing=True,
    ),
    Scenario(
        "twice",
        "Of two of every service, and three nodes of NATS, any is killed at random",
        again_and_again(kill_one),
        Shape(replicas=2, nats_nodes=3),
        changes=600,
    ),
    Scenario(
        "rolling",
        "Two of every service, and three nodes of NATS, are restarted one after the other",
        again_and_again(restart_next),
        Shape(replicas=2, nats_nodes=3),
        changes=1_500,
        unfailing=True,
    ),
    Scenario(
        "real",
        "All of these at random, and the members are real API servers",
        again_and_again(break_any),
        Shape(members=0, real_members=2),
    ),
    Scenario("backup", "A member comes back from an old backup", restore_old),
    Scenario("token", "A member turns Hanse away for half a minute", expire_credentials),
    Scenario(
        "disk",
        "The disk of NATS is full for some seconds, again and again",
        fill_disk,
        Shape(small_disk=True),
    ),
)


def scenario(name: str) -> Scenario:
    return next(each for each in SCENARIOS if each.name == name)
