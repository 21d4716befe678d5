"""`hanse demo`: the main job on three simulated members, checked on the way."""

import argparse
import sys
import tempfile
from pathlib import Path

import msgspec
import uvloop

from hanse.commands.options import Subcommands, add_json
from hanse.demo.scenario import Demo, Report
from hanse.demo.screen import Screen
from hanse.local.federation import FederationFailed, FederationSettings, start_federation
from shared.errors import HanseError
from shared.telemetry.setup import configure_logs

EXAMPLES = Path(__file__).parents[2] / "examples"


def add(subcommands: Subcommands) -> None:
    parser = subcommands.add_parser("demo", help="show the main job on three simulated members")
    add_json(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the demo in a folder of its own; 0 only if every check held."""
    configure_logs("demo", "error")
    try:
        report = uvloop.run(_demo(quiet=options.json))
    except (FederationFailed, HanseError) as err:
        sys.stderr.write(f"{err}\n")
        return 1
    if options.json:
        print(msgspec.json.encode(report).decode())
    return 0 if report.passed else 1


async def _demo(*, quiet: bool) -> Report:
    screen = Screen(quiet=quiet)
    screen.step("start NATS, six services and three simulated members, each a process")
    with tempfile.TemporaryDirectory(prefix="hanse-demo-") as folder:
        async with start_federation(FederationSettings(data_dir=Path(folder))) as federation:
            return await Demo(federation, screen, EXAMPLES).run()
