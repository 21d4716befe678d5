"""The `hanse` command: one subcommand each for what people do with a federation."""

import argparse
import os
import sys

from hanse.commands import (
    dead_letters,
    demo,
    dns,
    drain,
    explain,
    health,
    interpreter,
    join,
    leave,
    plan,
    render,
    rollout,
    scores,
    services,
    traffic,
    up,
)

# In the order in which help names them.
_COMMANDS = (
    demo,
    up,
    join,
    leave,
    drain,
    interpreter,
    explain,
    plan,
    render,
    rollout,
    traffic,
    health,
    scores,
    dns,
    services,
    dead_letters,
)
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
    for command in _COMMANDS:
        command.add(subcommands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
