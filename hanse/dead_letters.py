"""`hanse dead` and `hanse retry`: what could not be processed, and having it tried again."""

import argparse
import sys
from typing import TypeVar

import msgspec
import uvloop

from shared.api.meta import API_VERSION
from shared.apimachinery.manifest import GroupVersionKind
from shared.errors import HanseError
from shared.events.dead_letters import (
    DeadLetter,
    DeadLetterList,
    ListDeadLetters,
    RetriedDeadLetters,
    RetryDeadLetters,
)
from shared.memberapi.credentials import read_kubeconfig
from shared.memberapi.http import open_member
from shared.memberapi.port import ResourceType
from shared.telemetry.setup import configure_logs

_LISTS = ResourceType(
    GroupVersionKind.parse(API_VERSION, "DeadLetterList"), "deadletters", namespaced=False
)
_RETRIES = ResourceType(
    GroupVersionKind.parse(API_VERSION, "DeadLetterRetry"), "deadletterretries", namespaced=False
)

Answer = TypeVar("Answer", bound=msgspec.Struct)


def list_letters(options: argparse.Namespace) -> int:
    """Show all letters, or with an id that one whole."""
    found = _asked(options, _LISTS, ListDeadLetters(id=options.id or ""), DeadLetterList)
    if found is None:
        return 1
    if options.id and not found.letters:
        sys.stderr.write(f"there is no dead letter {options.id}\n")
        return 1
    if options.json:
        print(msgspec.json.encode(found).decode())
    elif options.id:
        print("\n".join(_whole(found.letters[0])))
    else:
        _print_table(found)
    return 0


def retry(options: argparse.Namespace) -> int:
    """Have letters tried again; 0 only where each of them was there."""
    if bool(options.ids) == options.all:
        sys.stderr.write("name the letters to try again, or say --all\n")
        return 2
    asked = RetryDeadLetters(ids=tuple(options.ids), all=options.all)
    found = _asked(options, _RETRIES, asked, RetriedDeadLetters)
    if found is None:
        return 1
    if options.json:
        print(msgspec.json.encode(found).decode())
    else:
        for one in found.retried:
            print(f"{one} is tried again")
        for one in found.outdated:
            print(f"{one} is outdated: something newer was ordered since; dropped")
        for one in found.unknown:
            sys.stderr.write(f"there is no dead letter {one}\n")
        if not (found.retried or found.outdated or found.unknown):
            print("there are no dead letters")
    return 1 if found.unknown else 0


def _asked(
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


def _print_table(found: DeadLetterList) -> None:
    if not found.letters:
        print("there are no dead letters")
        return
    rows = [("ID", "ATTEMPTS", "WHAT", "REASON")]
    rows += [(one.id, str(one.attempts), one.subject, one.reason) for one in found.letters]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        print("  ".join([*cells, row[3]]))
    if found.more:
        print(f"and {found.more} more")


def _whole(letter: DeadLetter) -> list[str]:
    return [
        f"Id:        {letter.id}",
        f"Service:   {letter.service}",
        f"Reason:    {letter.reason}",
        f"Attempts:  {letter.attempts}",
        f"Subject:   {letter.subject}",
        f"Message:   {letter.stream} {letter.sequence}",
        f"Type:      {letter.type or '-'}",
        f"Source:    {letter.source or '-'}",
        "Body:",
        letter.body,
    ]
