"""A short run of what `make chaos` does at length: processes killed, links cut, slow and silent."""

from pathlib import Path

import pytest

from tests.chaos.run import run
from tests.chaos.scenarios import scenario

CHANGES = 100
pytestmark = pytest.mark.timeout(900)


@pytest.mark.parametrize("seed", [1])
async def test_whoever_is_killed_whenever_all_becomes_as_it_was_asked(
    tmp_path: Path, seed: int
) -> None:
    result = await run(scenario("mix"), tmp_path, seed, CHANGES)
    assert result.holds, result
