"""`python -m tests.chaos`: break a federation in every way there is, and say what came of it."""

import argparse
import asyncio
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tests.chaos.disk import enter_namespace, may_mount
from tests.chaos.run import Result, run
from tests.chaos.scenarios import SCENARIOS, Scenario
from tests.chaos.table import table

_SHOWN = 10


def main() -> int:
    arguments = _parse()
    enter_namespace("tests.chaos", sys.argv[1:])
    results = []
    for scenario in SCENARIOS:
        if arguments.scenario and scenario.name not in arguments.scenario:
            continue
        if hindrance := _hindrance(scenario):
            print(f"{scenario.name}: left out, {hindrance}", file=sys.stderr)
            continue
        print(f"{scenario.name}: {scenario.what} ...", file=sys.stderr, flush=True)
        folder = (
            Path(arguments.keep or tempfile.mkdtemp(prefix="hanse-chaos-")).resolve()
            / scenario.name
        )
        changes = arguments.changes or scenario.changes
        result = asyncio.run(run(scenario, folder, arguments.seed, changes))
        _tell(result, folder)
        if result.holds and not arguments.keep:
            shutil.rmtree(folder.parent)
        results.append(result)
    print(json.dumps([asdict(result) for result in results]) if arguments.json else table(results))
    return 0 if all(result.holds for result in results) else 1


def _hindrance(scenario: Scenario) -> str:
    """Why it cannot be run here; empty where it can."""
    if scenario.shape.small_disk and not may_mount():
        return "nothing may be mounted here"
    if scenario.shape.real_members and "KUBEBUILDER_ASSETS" not in os.environ:
        return "KUBEBUILDER_ASSETS names no folder with an API server"
    return ""


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument(
        "scenario", nargs="*", choices=[*(one.name for one in SCENARIOS), []], help="all: without"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--changes", type=int, default=0, help="fewer or more than usual")
    parser.add_argument("--keep", help="a folder for data and logs; else a temporary one")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _tell(result: Result, folder: Path) -> None:
    said = (
        f"  whole after {result.whole_seconds:.1f} s" if result.judgement.holds else "  NOT WHOLE"
    )
    print(f"{said}; broken: {result.broken}", file=sys.stderr)
    if result.unfailing and result.again:
        print(f"  {result.again} requests FAILED, and none may", file=sys.stderr)
    for when, judgement in (("then", result.judgement), ("emptied", result.emptied)):
        for what in ("lost", "doubled", "orphaned"):
            amiss: Sequence[str] = getattr(judgement, what)
            for each in amiss[:_SHOWN]:
                print(f"  {when}, {what}: {each}", file=sys.stderr)
    if not result.holds:
        print(f"  logs: {folder / 'logs'}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
