"""Asking the hub what its services answer: one struct to a path of the gateway, another back."""

import argparse
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import msgspec
import uvloop

from hanse.hub import open_hub
from shared.errors import HanseError
from shared.memberapi.credentials import read_kubeconfig
from shared.memberapi.port import MemberApi, ResourceType
from shared.telemetry.setup import configure_logs

Answer = TypeVar("Answer", bound=msgspec.Struct)


@asynccontextmanager
async def hub_of(options: argparse.Namespace) -> AsyncIterator[MemberApi]:
    """The hub that the options of a command name; raises `HanseError` where they name none."""
    access = read_kubeconfig(options.kubeconfig.expanduser(), options.context)
    async with open_hub(access) as hub:
        yield hub


def ask_hub(
    options: argparse.Namespace, kind: ResourceType, asked: msgspec.Struct, answer: type[Answer]
) -> Answer | None:
    """None where the hub could not be asked; why is on stderr."""

    async def ask(hub: MemberApi) -> Answer:
        return await answered(hub, kind, asked, answer)

    return ask_by(options, ask)


def ask_by(
    options: argparse.Namespace, ask: Callable[[MemberApi], Awaitable[Answer]]
) -> Answer | None:
    """Ask the hub in several steps; None where it could not be asked, why is on stderr."""
    configure_logs("hanse", "error")
    try:
        return uvloop.run(_asked(options, ask))
    except (HanseError, OSError) as err:
        sys.stderr.write(f"{err}\n")
        return None


def do(work: Coroutine[Any, Any, str]) -> int:
    """Print what *work* says, or why it could not be done; returns the exit status."""
    configure_logs("hanse", "error")
    try:
        print(uvloop.run(work))
    except HanseError as err:
        sys.stderr.write(f"{err}\n")
        return 1
    return 0


async def _asked(
    options: argparse.Namespace, ask: Callable[[MemberApi], Awaitable[Answer]]
) -> Answer:
    async with hub_of(options) as hub:
        return await ask(hub)


async def answered(
    hub: MemberApi, kind: ResourceType, asked: msgspec.Struct, answer: type[Answer]
) -> Answer:
    """Send one request to the path of its *kind*."""
    return msgspec.convert(await hub.create(kind, "", msgspec.to_builtins(asked)), answer)


def show(found: Answer, options: argparse.Namespace, as_text: Callable[[Answer], str]) -> None:
    """Print for people, or with `--json` one object."""
    if options.json:
        print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    else:
        sys.stdout.write(as_text(found))


def table_lines(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    """Align *rows* (the first is the heading); the last cell of each is as long as it is."""
    last = len(rows[0]) - 1
    widths = [max(len(row[column]) for row in rows) for column in range(last)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        yield "  ".join([*cells, row[last]]).rstrip()
