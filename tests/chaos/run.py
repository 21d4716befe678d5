"""One scenario from beginning to end, and what came of it."""

import asyncio
import random
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.ground import Ground, open_ground
from tests.chaos.judgement import Judgement, until_whole
from tests.chaos.load import Load
from tests.chaos.scenarios import Scenario, Trouble

WHOLE_SECONDS_MAX = 300.0


@dataclass(frozen=True, slots=True)
class Result:
    scenario: str
    seed: int
    changes: int
    """Acknowledged while things broke."""

    again: int
    """Requests of people that had to be sent again meanwhile."""

    unfailing: bool
    """Whether none had to."""

    broken: dict[str, int]
    trouble_seconds: float
    whole_seconds: float
    """From the end of the trouble until everything was as asked; the limit where it was not."""

    judgement: Judgement
    """What was amiss at the end of that time."""

    emptied: Judgement
    """What was amiss when everything had been deleted after that."""

    @property
    def holds(self) -> bool:
        fails = self.unfailing and self.again > 0
        return self.judgement.holds and self.emptied.holds and not fails


async def run(scenario: Scenario, folder: Path, seed: int, changes: int) -> Result:
    """Start a federation in *folder*, break it as *scenario* says, and look what is left."""
    chance = random.Random(seed)
    loop = asyncio.get_running_loop()
    async with open_ground(folder, scenario.shape) as ground:
        load = Load(ground.hub, random.Random(seed), divided=ground.runs_pods)
        await load.settle()
        ready = await until_whole(ground, load, WHOLE_SECONDS_MAX)
        assert ready.holds, f"not whole before anything was broken: {ready}"
        made, again, began = load.made, load.again, loop.time()
        trouble = Trouble(ground, load, chance, changes)
        await scenario.run(trouble)
        ground.heal()
        healed = loop.time()
        judgement = await until_whole(ground, load, WHOLE_SECONDS_MAX)
        whole = loop.time()
        return Result(
            scenario=scenario.name,
            seed=seed,
            changes=load.made - made,
            again=load.again - again,
            unfailing=scenario.unfailing,
            broken=dict(sorted(trouble.broken.items())),
            trouble_seconds=healed - began,
            whole_seconds=whole - healed,
            judgement=judgement,
            emptied=await _empty(ground, load),
        )


async def _empty(ground: Ground, load: Load) -> Judgement:
    """Delete all: whoever reads everything anew finds nothing of it."""
    await load.clear()
    return await until_whole(ground, load, WHOLE_SECONDS_MAX)
