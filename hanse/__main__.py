"""The `hanse` command: one subcommand each for what people do with a federation."""

import argparse
import math
import os
import re
import sys
from pathlib import Path

from hanse import (
    commands,
    dead_letters,
    dns,
    drain,
    explain,
    health,
    interpreter,
    plan,
    render,
    services,
    traffic,
)
from hanse.leave import OBJECTS
from hanse.rollouts import commands as rollouts
from shared.events.planning import SupposedPrice

_DEFAULT_KUBECONFIG = "~/.kube/config"
# A DNS label (RFC 1123), as the gateway asks of a Cluster's name.
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")

_SIGPIPE_STATUS = 128 + 13


def main(arguments: list[str] | None = None) -> int:
    """Run one subcommand; returns its exit status (2 for a usage error)."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    try:
        status = int(options.run(options))
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read along has seen enough (`hanse ... | head`); exiting would flush once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _SIGPIPE_STATUS
    return status


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hanse", description="A federation of Kubernetes clusters"
    )
    subcommands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_demo(subcommands.add_parser("demo", help="show the main job on three simulated members"))
    _add_up(subcommands.add_parser("up", help="run a federation on this machine"))
    _add_join(subcommands.add_parser("join", help="make a cluster a member"))
    _add_leave(subcommands.add_parser("leave", help="end a cluster's membership"))
    drain.add_commands(
        subcommands.add_parser("drain", help="empty a member: traffic first, then replicas"),
        subcommands.add_parser("uncordon", help="let a drained member be filled again"),
        _add_member,
    )
    interpreter.add_commands(
        subcommands.add_parser("interpreter", help="try what Hanse is told of a kind")
    )
    _add_explain(subcommands.add_parser("explain", help="show why something is where it is"))
    _add_plan(subcommands.add_parser("plan", help="show what would move if"))
    _add_render(subcommands.add_parser("render", help="show what members would hold"))
    rollouts.add_commands(
        subcommands.add_parser("rollout", help="follow a change from cluster to cluster"),
        _add_object,
    )
    traffic.add_commands(
        subcommands.add_parser("traffic", help="show what carries the traffic of a service"),
        _add_hub,
    )
    _add_health(subcommands.add_parser("health", help="show members as each observer sees them"))
    dns.add_commands(
        subcommands.add_parser("dns", help="have members ask for the names of all"), _name
    )
    _add_services(
        subcommands.add_parser("services", help="show what members export, and to whom it goes")
    )
    dead = subcommands.add_parser("dead", help="see what could not be processed, and why")
    _add_dead(dead.add_subparsers(required=True, metavar="VERB"))
    _add_retry(subcommands.add_parser("retry", help="have it tried again"))
    return parser


def _add_dead(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = verbs.add_parser("list", help="list the dead letters, or show one whole")
    parser.add_argument("id", nargs="?", metavar="ID", help="show that one whole")
    _add_json(parser)
    _add_hub(parser)
    parser.set_defaults(run=dead_letters.list_letters)


def _add_retry(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ids", nargs="*", metavar="ID", help="dead letters, as `hanse dead list`")
    parser.add_argument("--all", action="store_true", help="all there are")
    _add_json(parser)
    _add_hub(parser)
    parser.set_defaults(run=dead_letters.retry)


def _add_health(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("clusters", nargs="*", type=_name, metavar="CLUSTER", help="those alone")
    _add_json(parser)
    _add_hub(parser)
    parser.set_defaults(run=health.run)


def _add_services(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME", help="that one alone")
    parser.add_argument("--namespace", "-n", metavar="NAMESPACE", help="of that namespace alone")
    _add_json(parser)
    _add_hub(parser)
    parser.set_defaults(run=services.run)


def _add_demo(parser: argparse.ArgumentParser) -> None:
    _add_json(parser)
    parser.set_defaults(run=commands.demo)


def _add_up(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--clusters", type=_count, default=3, metavar="N", help="simulated members (default 3)"
    )
    parser.add_argument(
        "--replicas",
        type=_replicas,
        default=1,
        metavar="N",
        help="how many of each service; the others stand by (default 1)",
    )
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=Path(".hanse"),
        metavar="DIR",
        help="what is kept, and resumed by the next run (default .hanse)",
    )
    parser.add_argument(
        "--port", type=_port, default=8443, help="the gateway's port on loopback (default 8443)"
    )
    parser.add_argument(
        "--kubeconfig",
        type=Path,
        metavar="FILE",
        help="written for kubectl (default DIR/kubeconfig)",
    )
    parser.set_defaults(run=commands.up)


def _add_member(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "name", type=_name, metavar="NAME", help="the member's name in the federation"
    )
    _add_hub(parser)


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object and nothing else"
    )


def _add_files(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument(
        "-f",
        "--filename",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help=f"{what} as they would be; - is standard input",
    )


def _add_hub(parser: argparse.ArgumentParser) -> None:
    default = os.environ.get("KUBECONFIG", _DEFAULT_KUBECONFIG)
    parser.add_argument(
        "--kubeconfig", type=Path, default=Path(default), metavar="FILE", help="for the hub"
    )
    parser.add_argument("--context", default="", help="the hub's context in that file")


def _add_join(parser: argparse.ArgumentParser) -> None:
    _add_member(parser)
    parser.add_argument("--member-kubeconfig", type=Path, required=True, metavar="FILE")
    parser.add_argument("--member-context", default="", metavar="C")
    for place in ("region", "zone", "provider"):
        parser.add_argument(f"--{place}", default="", metavar=place[0].upper())
    parser.set_defaults(run=commands.join)


def _add_leave(parser: argparse.ArgumentParser) -> None:
    _add_member(parser)
    parser.add_argument(
        "--objects",
        choices=OBJECTS,
        default="keep",
        help="what becomes of what Hanse brought: it stays (default), goes once it runs "
        "elsewhere, or goes",
    )
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=60,
        metavar="S",
        help="how many seconds that may take; then the cluster leaves in any case (default: 60)",
    )
    parser.set_defaults(run=commands.leave)


def _add_object(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "object", type=_object, metavar="KIND/NAME", help="the template, such as deployment/web"
    )
    parser.add_argument("-n", "--namespace", default="default", metavar="NS")
    _add_hub(parser)


def _add_explain(parser: argparse.ArgumentParser) -> None:
    _add_object(parser)
    parser.add_argument(
        "--at", default="", metavar="TIME", help="the decision that stood then, RFC 3339"
    )
    _add_json(parser)
    parser.set_defaults(run=explain.run)


def _add_plan(parser: argparse.ArgumentParser) -> None:
    _add_files(parser, "policies, clusters, groups, quotas and templates")
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        type=_object,
        metavar="KIND/NAME",
        help="a policy, a group, a quota or a template that is deleted; may be repeated",
    )
    parser.add_argument(
        "--lose",
        action="append",
        default=[],
        type=_name,
        metavar="CLUSTER",
        help="gone, with all that runs there; may be repeated",
    )
    parser.add_argument(
        "--add",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="a Cluster that joins, ready, with the room that its status tells; what else the file"
        " holds is passed over",
    )
    _add_costs(parser)
    parser.add_argument(
        "-n", "--namespace", default="", metavar="NS", help="look at this one only (default: all)"
    )
    _add_hub(parser)
    parser.add_argument(
        "--detailed-exitcode",
        action="store_true",
        help="exit status 2 where something moves and everything has its place",
    )
    _add_json(parser)
    parser.set_defaults(run=plan.run)


def _add_costs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--price",
        action="append",
        default=[],
        type=_price,
        metavar="CLUSTER=cpu:P,memory:P,gpu:P",
        help="what an hour of a core, a GiB, a GPU would cost there; may be repeated",
    )
    parser.add_argument(
        "--optimise",
        action="store_true",
        help="place together what policies would have placed together (spec.placement.optimise)",
    )
    parser.add_argument(
        "--cost-max",
        type=_cost,
        metavar="COST",
        help="exit status 4 where all would cost more than that in an hour",
    )


def _add_render(parser: argparse.ArgumentParser) -> None:
    _add_object(parser)
    parser.add_argument(
        "--cluster",
        action="append",
        default=[],
        type=_name,
        metavar="C",
        help="may be repeated, and need not be in the decision (default: those that are)",
    )
    _add_files(parser, "override policies, clusters and the template")
    parser.add_argument(
        "--diff", action="store_true", help="show what each rule changes, not the manifests"
    )
    _add_json(parser)
    parser.set_defaults(run=render.run)


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no name for a member: at most 63 lower case letters, digits and '-'"
        )
    return text


def _price(text: str) -> tuple[str, SupposedPrice]:
    try:
        return plan.read_price(text)
    except ValueError as err:
        raise argparse.ArgumentTypeError(str(err)) from err


def _cost(text: str) -> float:
    try:
        cost = float(text)
    except ValueError:
        cost = math.nan
    # Nothing is above what is no number: such a bound would let everything pass.
    if not 0 <= cost < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no cost: a number of at least 0")
    return cost


def _object(text: str) -> str:
    kind, slash, name = text.partition("/")
    if not kind or not slash or not name or "/" in name:
        raise argparse.ArgumentTypeError(f"{text!r} is no KIND/NAME, such as deployment/web")
    return text


def _replicas(text: str) -> int:
    return _number(text, 1, 9)


def _count(text: str) -> int:
    return _number(text, 0, 100)


def _seconds(text: str) -> int:
    return _number(text, 1, 86_400)


def _port(text: str) -> int:
    return _number(text, 1, 65535)


def _number(text: str, least: int, most: int) -> int:
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is no number between {least} and {most}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
