"""`hanse drain CLUSTER` and `hanse uncordon CLUSTER`: empty a member, and let it be filled again.

Exit status of a drain: 0 once it is done, 3 where it was refused since the rest lacks room, 4 where
something had not left in time, 1 where it could not be done.
"""

import argparse
from collections.abc import Iterator
from datetime import timedelta

import msgspec

from hanse.asking import ask_by, show
from hanse.commands.options import Subcommands, add_json, add_member, number
from hanse.membership.drain import Drained, DrainTerms, Outcome, drain, undo
from hanse.texts.explanation import shortage, some_names
from shared.memberapi.port import MemberApi

_STATUSES: dict[Outcome, int] = {"Drained": 0, "TrafficMoved": 0, "Refused": 3, "Remaining": 4}
_SHOWN_MAX = 20
_DAY = 86_400


class Uncordoned(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`changed` False: it was not being drained."""

    cluster: str
    changed: bool


def add(subcommands: Subcommands) -> None:
    draining = subcommands.add_parser("drain", help="empty a member: traffic first, then replicas")
    _add_drain(draining)
    uncordoning = subcommands.add_parser("uncordon", help="let a drained member be filled again")
    uncordoning.set_defaults(run=uncordon)
    for parser in (draining, uncordoning):
        add_member(parser)
        add_json(parser)


def _add_drain(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--undo", action="store_true", help="as `hanse uncordon`")
    parser.add_argument(
        "--force", action="store_true", help="although the rest lacks room: what has none stays"
    )
    parser.add_argument("--traffic-only", action="store_true", help="let what runs there run on")
    parser.add_argument(
        "--grace",
        type=number(0, _DAY),
        metavar="S",
        help="how long to wait between traffic and replicas (default: as long as names of the"
        " global zones are remembered, 5 at least)",
    )
    parser.add_argument(
        "--timeout",
        type=number(0, _DAY),
        default=600,
        metavar="S",
        help="how long all of it may take (default 600); what is left then goes on leaving",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    if options.undo:
        return uncordon(options)
    terms = DrainTerms(
        force=options.force,
        traffic_only=options.traffic_only,
        grace=None if options.grace is None else timedelta(seconds=options.grace),
        timeout=timedelta(seconds=options.timeout),
    )
    found = ask_by(options, lambda hub: drain(hub, options.name, terms))
    if found is None:
        return 1
    show(found, options, as_text)
    return _STATUSES[found.outcome]


def uncordon(options: argparse.Namespace) -> int:
    """Return 0 whether or not it was being drained."""

    async def ask(hub: MemberApi) -> Uncordoned:
        return Uncordoned(cluster=options.name, changed=await undo(hub, options.name))

    found = ask_by(options, ask)
    if found is None:
        return 1
    show(found, options, _uncordoned_text)
    return 0


def _uncordoned_text(found: Uncordoned) -> str:
    if not found.changed:
        return f"{found.cluster} is not being drained\n"
    return f"{found.cluster} takes traffic and replicas again\n"


def as_text(found: Drained) -> str:
    return "".join(f"{line}\n" for line in _lines(found))


def _lines(found: Drained) -> Iterator[str]:
    name = found.cluster
    if found.outcome == "Refused":
        yield f"{name} is not drained, for the rest lacks room:"
        yield from _lacking(found)
        yield "nothing was changed; --force drains it all the same, and what has no place stays"
        return
    if found.alone:
        yield f"nobody else answers for {some_names(found.alone)}: their traffic stays"
    if found.outcome == "Remaining":
        yield f"{name} is not empty yet: {some_names(found.remaining, _SHOWN_MAX)}"
        yield f"it goes on being drained; `hanse uncordon {name}` ends that"
        return
    if found.outcome == "TrafficMoved":
        yield f"no traffic goes to {name} any more; what runs there runs on"
        return
    moved = found.plan.moved if found.plan is not None else 0
    yield f"{name} is drained: its traffic and its replicas ({moved}) are elsewhere"
    if found.staying:
        yield f"stays, as its policy tolerates that: {some_names(found.staying, _SHOWN_MAX)}"


def _lacking(found: Drained) -> Iterator[str]:
    plan = found.plan
    for one in plan.changes if plan is not None else ():
        if one.fitted and not one.fits:
            where = f"{one.namespace}/{one.name}" if one.namespace else one.name
            yield f"  {one.kind} {where} would have no place: {shortage(one.message)}"
    for service in found.alone:
        yield f"  nobody else answers for traffic policy {service}"
    if plan is not None and plan.examined < plan.templates:
        yield f"  only {plan.examined} of {plan.templates} objects could be looked at in time"
