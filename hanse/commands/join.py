"""`hanse join`: make a cluster a member, or say what is missing."""

import argparse
from pathlib import Path

from hanse.asking import do, hub_of
from hanse.commands.options import Subcommands, add_member
from hanse.membership.join import Place, join
from shared.memberapi.credentials import read_kubeconfig
from shared.memberapi.http import open_member


def add(subcommands: Subcommands) -> None:
    parser = subcommands.add_parser("join", help="make a cluster a member")
    add_member(parser)
    parser.add_argument("--member-kubeconfig", type=Path, required=True, metavar="FILE")
    parser.add_argument("--member-context", default="", metavar="C")
    for place in ("region", "zone", "provider"):
        parser.add_argument(f"--{place}", default="", metavar=place[0].upper())
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Make a cluster a member, or say what is missing."""
    return do(_join(options))


async def _join(options: argparse.Namespace) -> str:
    credentials = read_kubeconfig(options.member_kubeconfig, options.member_context)
    place = Place(options.name, options.region, options.zone, options.provider)
    async with (
        hub_of(options) as hub,
        open_member(credentials, name=options.name) as member,
    ):
        cluster = await join(hub, member, place, credentials)
    return f"{options.name} has joined: Kubernetes {cluster.status.kubernetes_version}"
