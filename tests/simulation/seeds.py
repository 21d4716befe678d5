"""Running seeds in a process of their own.

The order of sets is a part of a history, and it is fixed by the environment of a process alone.
"""

import os
import subprocess
import sys

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


def assert_all_hold(first: int, seeds: int, *arguments: str) -> None:
    asked = ("--first", str(first), "--seeds", str(seeds), "--jobs", JOBS)
    ended = run(*asked, *arguments)
    assert ended.returncode == 0, ended.stdout[-8_000:] + ended.stderr[-2_000:]
    assert f"{seeds} seeds, 0 failed" in ended.stdout
