"""`hanse dead` and `hanse retry`: what could not be processed, and having it tried again."""

import argparse
import sys

import msgspec

from hanse.asking import ask_hub, table_lines
from hanse.commands.options import Subcommands, add_hub, add_json
from hanse.questions import DEAD_LETTERS, RETRIES
from shared.events.dead_letters import (
    DeadLetter,
    DeadLetterList,
    ListDeadLetters,
    RetriedDeadLetters,
    RetryDeadLetters,
)


def add(subcommands: Subcommands) -> None:
    _add_dead(subcommands)
    _add_retry(subcommands)


def _add_dead(subcommands: Subcommands) -> None:
    dead = subcommands.add_parser("dead", help="see what could not be processed, and why")
    verbs = dead.add_subparsers(required=True, metavar="VERB")
    parser = verbs.add_parser("list", help="list the dead letters, or show one whole")
    parser.add_argument("id", nargs="?", metavar="ID", help="show that one whole")
    add_json(parser)
    add_hub(parser)
    parser.set_defaults(run=list_letters)


def _add_retry(subcommands: Subcommands) -> None:
    parser = subcommands.add_parser("retry", help="have it tried again")
    parser.add_argument("ids", nargs="*", metavar="ID", help="dead letters, as `hanse dead list`")
    parser.add_argument("--all", action="store_true", help="all there are")
    add_json(parser)
    add_hub(parser)
    parser.set_defaults(run=retry)


def list_letters(options: argparse.Namespace) -> int:
    """Show all letters, or with an id that one whole."""
    found = ask_hub(options, DEAD_LETTERS, ListDeadLetters(id=options.id or ""), DeadLetterList)
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
    found = ask_hub(options, RETRIES, asked, RetriedDeadLetters)
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


def _print_table(found: DeadLetterList) -> None:
    if not found.letters:
        print("there are no dead letters")
        return
    rows = [("ID", "ATTEMPTS", "WHAT", "REASON")]
    rows += [(one.id, str(one.attempts), one.subject, one.reason) for one in found.letters]
    for line in table_lines(rows):
        print(line)
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
