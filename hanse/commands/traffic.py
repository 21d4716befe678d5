"""`hanse traffic render POLICY`: a plan of traffic in the words of what carries it."""

import argparse
import sys
import typing

import msgspec
import yaml

from hanse.asking import ask_hub
from hanse.commands.options import Subcommands, add_hub
from hanse.questions import TRAFFIC_RENDERINGS
from shared.events.traffic import Form, TrafficRendering, TrafficRenderRequest


def add(subcommands: Subcommands) -> None:
    parser = subcommands.add_parser("traffic", help="show what carries the traffic of a service")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    render = verbs.add_parser("render", help="show a policy's plan in the words of what carries it")
    render.add_argument("policy", metavar="POLICY", help="the name of a TrafficPolicy")
    render.add_argument("-n", "--namespace", default="default", metavar="NS")
    render.add_argument(
        "-o",
        "--output",
        choices=typing.get_args(Form),
        default="json",
        help="json (default): the plan itself",
    )
    render.add_argument("--region", default="", metavar="R", help="where traffic comes from")
    render.add_argument(
        "--gateway", default="gateway", metavar="G", help="the Gateway that a route belongs to"
    )
    add_hub(render)
    render.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print YAML documents that can be applied, JSON, or a configuration."""
    asked = TrafficRenderRequest(
        namespace=options.namespace,
        policy=options.policy,
        form=options.output,
        region=options.region,
        gateway=options.gateway,
    )
    found = ask_hub(options, TRAFFIC_RENDERINGS, asked, TrafficRendering)
    if found is None:
        return 1
    if options.output == "json":
        print(msgspec.json.format(msgspec.json.encode(found.objects[0]), indent=2).decode())
    elif found.text:
        sys.stdout.write(found.text)
    else:
        yaml.safe_dump_all(found.objects, sys.stdout, sort_keys=False)
    return 0
