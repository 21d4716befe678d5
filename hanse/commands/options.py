"""Options that several subcommands take, and how words of the command line are read.

What cannot be read raises `argparse.ArgumentTypeError`, which ends in a usage error.
"""

import argparse
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

# The only name that argparse has for it.
Subcommands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001

_DEFAULT_KUBECONFIG = "~/.kube/config"
# A DNS label (RFC 1123), as the gateway asks of a Cluster's name.
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def add_hub(parser: argparse.ArgumentParser) -> None:
    """Which hub is asked."""
    default = os.environ.get("KUBECONFIG", _DEFAULT_KUBECONFIG)
    parser.add_argument(
        "--kubeconfig", type=Path, default=Path(default), metavar="FILE", help="for the hub"
    )
    parser.add_argument("--context", default="", help="the hub's context in that file")


def add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object and nothing else"
    )


def add_files(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument(
        "-f",
        "--filename",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help=f"{what}; - is standard input; may be repeated",
    )


def add_member(parser: argparse.ArgumentParser) -> None:
    """What every command about a member takes."""
    parser.add_argument(
        "name", type=member_name, metavar="NAME", help="the member's name in the federation"
    )
    add_hub(parser)


def add_object(parser: argparse.ArgumentParser) -> None:
    """What every command about a template of the hub takes."""
    parser.add_argument(
        "object", type=object_name, metavar="KIND/NAME", help="the template, such as deployment/web"
    )
    parser.add_argument("-n", "--namespace", default="default", metavar="NS")
    add_hub(parser)


def member_name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no name for a member: at most 63 lower case letters, digits and '-'"
        )
    return text


def number(least: int, most: int) -> Callable[[str], int]:
    """Read a number from *least* to *most*."""

    def read(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is no number between {least} and {most}")
        return int(text)

    return read


def object_name(text: str) -> str:
    kind, slash, name = text.partition("/")
    if not kind or not slash or not name or "/" in name:
        raise argparse.ArgumentTypeError(f"{text!r} is no KIND/NAME, such as deployment/web")
    return text
