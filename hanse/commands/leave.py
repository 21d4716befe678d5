"""`hanse leave`: end a membership, whether or not the member still answers."""

import argparse
from datetime import timedelta

from hanse.asking import do, hub_of
from hanse.commands.options import Subcommands, add_member, number
from hanse.membership.leave import OBJECTS, leave

_SHOWN_MAX = 5


def add(subcommands: Subcommands) -> None:
    parser = subcommands.add_parser("leave", help="end a cluster's membership")
    add_member(parser)
    parser.add_argument(
        "--objects",
        choices=OBJECTS,
        default="keep",
        help="what becomes of what Hanse brought: it stays (default), goes once it runs "
        "elsewhere, or goes",
    )
    parser.add_argument(
        "--timeout",
        type=number(1, 86_400),
        default=60,
        metavar="S",
        help="how many seconds that may take; then the cluster leaves in any case (default: 60)",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """End a membership, whether or not the member still answers."""
    return do(_leave(options))


async def _leave(options: argparse.Namespace) -> str:
    deadline = timedelta(seconds=options.timeout)
    async with hub_of(options) as hub:
        left = await leave(hub, options.name, options.objects, deadline=deadline)
    if not left.was_member:
        return f"{options.name} is not a member"
    if options.objects != "keep" and not left.left_behind:
        return f"{options.name} has left; nothing of the federation runs there any more"
    said = f"{options.name} has left; what runs there runs on, and is yours again"
    if left.left_behind:
        shown = ", ".join(left.left_behind[:_SHOWN_MAX])
        more = len(left.left_behind) - _SHOWN_MAX
        said += f": {shown}" + (f" and {more} more" if more > 0 else "")
    return said
