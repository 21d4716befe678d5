"""Two hundred seeds, and that a seed is the same each time: in processes of their own.

The order of sets is a part of a history, and it is fixed by the environment of a process alone.
"""

import os
import subprocess
import sys

import pytest

SEEDS = 200
FENCED_SEEDS = 15
# Where the suite runs in several processes each has a core, and none to spare.
JOBS = "1" if "PYTEST_XDIST_WORKER" in os.environ else "2"


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    return subprocess.run(
        [sys.executable, "-m", "tests.simulation", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.timeout(900)
def test_all_holds_in_every_seed() -> None:
    ended = run("--seeds", str(SEEDS), "--jobs", JOBS)
    assert ended.returncode == 0, ended.stdout[-8_000:] + ended.stderr[-2_000:]
    assert f"{SEEDS} seeds, 0 failed" in ended.stdout


@pytest.mark.timeout(900)
def test_what_is_fenced_runs_in_one_member_in_every_seed() -> None:
    ended = run("--fenced", "--deeds", "35", "--seeds", str(FENCED_SEEDS), "--jobs", JOBS)
    assert ended.returncode == 0, ended.stdout[-8_000:] + ended.stderr[-2_000:]
    assert f"{FENCED_SEEDS} seeds, 0 failed" in ended.stdout


def test_a_seed_happens_the_same_way_each_time() -> None:
    first, second = run("--seed", "11"), run("--seed", "11")
    assert "trouble ends" in first.stdout
    assert first.stdout == second.stdout


def test_seeds_differ() -> None:
    assert run("--seed", "11").stdout != run("--seed", "12").stdout
