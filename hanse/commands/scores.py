"""`hanse scores`: what other systems say of clusters, and how far these are from one another."""

import argparse
from collections.abc import Iterator

from hanse.asking import ask_hub, show, table_lines
from hanse.commands.options import Subcommands, add_hub, add_json, member_name
from hanse.questions import SCORES
from shared.events.score_list import ListScores, ScoreList, StandingScore

_HEADING = ("SCORE", "CLUSTER", "VALUE", "SAID AT", "BY")


def add(subcommands: Subcommands) -> None:
    parser = subcommands.add_parser(
        "scores", help="show what others say of clusters, until it expires"
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="that score alone")
    parser.add_argument("--cluster", type=member_name, metavar="CLUSTER", help="of that one alone")
    add_json(parser)
    add_hub(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Return 0 where the hub could be asked."""
    asked = ListScores(name=options.name or "", cluster=options.cluster or "")
    found = ask_hub(options, SCORES, asked, ScoreList)
    if found is None:
        return 1
    show(found, options, lambda one: "\n".join(text_of(one)) + "\n")
    return 0


def text_of(found: ScoreList) -> Iterator[str]:
    """Yield the table."""
    if not found.scores:
        yield "nobody has said anything that still stands"
        return
    yield from table_lines([_HEADING, *(_row(one) for one in found.scores)])
    if found.more:
        yield f"... and {found.more} more"


def _row(one: StandingScore) -> tuple[str, ...]:
    name = f"{one.name} from {one.from_cluster}" if one.from_cluster else one.name
    return name, one.cluster, f"{one.value:.6g}", one.at or "-", one.source or "-"
