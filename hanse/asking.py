"""Asking the hub what its services answer: one struct to a path of the gateway, another back."""

import argparse
import sys
from collections.abc import Iterable, Sequence
from typing import TypeVar

import msgspec
import uvloop

from shared.errors import HanseError
from shared.memberapi.credentials import read_kubeconfig
from shared.memberapi.http import open_member
from shared.memberapi.port import ResourceType
from shared.telemetry.setup import configure_logs

Answer = TypeVar("Answer", bound=msgspec.Struct)


def ask_hub(
    options: argparse.Namespace, kind: ResourceType, asked: msgspec.Struct, answer: type[Answer]
) -> Answer | None:
    """None where the hub could not be asked; why is on stderr."""
    configure_logs("hanse", "error")
    try:
        return uvloop.run(_ask(options, kind, asked, answer))
    except (HanseError, OSError) as err:
        sys.stderr.write(f"{err}\n")
        return None


async def _ask(
    options: argparse.Namespace, kind: ResourceType, asked: msgspec.Struct, answer: type[Answer]
) -> Answer:
    access = read_kubeconfig(options.kubeconfig.expanduser(), options.context)
    async with open_member(access, name="hub") as hub:
        return msgspec.convert(await hub.create(kind, "", msgspec.to_builtins(asked)), answer)


def table_lines(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    """Align *rows* (the first is the heading); the last cell of each is as long as it is."""
    last = len(rows[0]) - 1
    widths = [max(len(row[column]) for row in rows) for column in range(last)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        yield "  ".join([*cells, row[last]]).rstrip()
