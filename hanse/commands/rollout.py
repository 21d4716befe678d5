"""`hanse rollout status|history|pause|resume|approve|retry|undo KIND/NAME`."""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import msgspec
import uvloop

from hanse.asking import hub_of
from hanse.commands.options import Subcommands, add_json, add_object
from hanse.rollouts import saying
from hanse.rollouts.subject import Subject
from hanse.rollouts.undoing import Undone, undo
from hanse.texts.rollout import as_history, as_revision, as_status
from shared.api.rollout import ResourceRollout
from shared.clock import SystemClock
from shared.errors import HanseError, InvalidObject
from shared.telemetry.setup import configure_logs

LOOK_AGAIN = timedelta(seconds=1)
_ENDED = {"Complete": 0, "Failed": 1, "RolledBack": 1}

Command = Callable[[Subject, argparse.Namespace], Awaitable[int]]


def add(subcommands: Subcommands) -> None:
    parser = subcommands.add_parser("rollout", help="follow a change from cluster to cluster")
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    def verb(name: str, help_text: str, command: Command) -> argparse.ArgumentParser:
        found = verbs.add_parser(name, help=help_text)
        add_object(found)
        add_json(found)
        found.set_defaults(run=run, command=command)
        return found

    status = verb("status", "show how far a change has come", _status)
    status.add_argument(
        "--watch",
        action="store_true",
        help="until it is complete (exit status 0), has failed or is rolled back (1)",
    )
    history = verb("history", "show the revisions that are kept", _history)
    history.add_argument("--revision", type=int, metavar="N", help="show what that one says")
    verb("pause", "change nothing more", _pause)
    verb("resume", "go on after a pause", _resume)
    approve = verb("approve", "let a stage begin", _approve)
    approve.add_argument("--stage", default="", metavar="S", help="default: the one that waits")
    approve.add_argument(
        "--revision", type=int, metavar="N", help="only if that is the one under way"
    )
    verb("retry", "try again what failed or was rolled back", _retry)
    undone = verb("undo", "put the template back to what it was", _undo)
    undone.add_argument(
        "--to-revision", type=int, metavar="N", help="default: the last that was complete"
    )
    undone.add_argument(
        "--overrides", action="store_true", help="put the rules of override policies back too"
    )
    undone.add_argument("--dry-run", action="store_true", help="only say what would be done")


def run(options: argparse.Namespace) -> int:
    """Carry out one command; 1 where it cannot be."""
    configure_logs("hanse", "error")
    try:
        return int(uvloop.run(_run(options)))
    except HanseError as err:
        sys.stderr.write(f"{err}\n")
        return 1
    except KeyboardInterrupt:
        return 130


async def _run(options: argparse.Namespace) -> int:
    async with hub_of(options) as hub:
        subject = await Subject.find(hub, options.object, options.namespace)
        return int(await options.command(subject, options))


async def _status(subject: Subject, options: argparse.Namespace) -> int:
    rollout = await subject.rollout()
    _show_status(subject, rollout, options)
    while options.watch and rollout.status.phase not in _ENDED:
        await asyncio.sleep(LOOK_AGAIN.total_seconds())
        before, rollout = rollout, await subject.rollout()
        if rollout.status.message != before.status.message:
            _show_status(subject, rollout, options, brief=True)
    return _ENDED.get(rollout.status.phase, 0) if options.watch else 0


def _show_status(
    subject: Subject, rollout: ResourceRollout, options: argparse.Namespace, *, brief: bool = False
) -> None:
    if options.json:
        _print_json(rollout)
    elif brief:
        print(f"{rollout.status.phase}: {rollout.status.message}", flush=True)
    else:
        print(as_status(str(subject), rollout, SystemClock().now()), end="", flush=True)


async def _history(subject: Subject, options: argparse.Namespace) -> int:
    rollout, revisions = await subject.rollout(), await subject.revisions()
    if options.revision is not None and options.revision not in revisions:
        raise InvalidObject(f"revision {options.revision} of {subject} is not kept")
    if options.revision is not None:
        revision = revisions[options.revision]
        if options.json:
            _print_json(revision)
        else:
            print(as_revision(revision), end="")
    elif options.json:
        _print_json({"items": list(revisions.values())})
    else:
        print(as_history(revisions, rollout.status, SystemClock().now()), end="")
    return 0


async def _pause(subject: Subject, options: argparse.Namespace) -> int:
    return _done(await saying.pause(subject), options)


async def _resume(subject: Subject, options: argparse.Namespace) -> int:
    return _done(await saying.resume(subject), options)


async def _approve(subject: Subject, options: argparse.Namespace) -> int:
    return _done(await saying.approve(subject, options.stage, options.revision), options)


async def _retry(subject: Subject, options: argparse.Namespace) -> int:
    return _done(await saying.retry(subject), options)


async def _undo(subject: Subject, options: argparse.Namespace) -> int:
    found = await undo(
        subject, options.to_revision, overrides=options.overrides, dry_run=options.dry_run
    )
    for remark in found.remarks:
        sys.stderr.write(f"{remark}\n")
    return _done(_undone(subject, found, dry_run=options.dry_run), options)


def _undone(subject: Subject, found: Undone, *, dry_run: bool) -> str:
    would = "would be" if dry_run else "is"
    if not found.template and not found.overrides:
        return f"{subject} is what revision {found.revision} says already"
    parts = [str(subject)] if found.template else []
    return f"{', '.join((*parts, *found.overrides))} {would} put back to revision {found.revision}"


def _done(message: str, options: argparse.Namespace) -> int:
    if options.json:
        _print_json({"message": message})
    else:
        print(message)
    return 0


def _print_json(value: Any) -> None:
    print(msgspec.json.encode(value).decode(), flush=True)
