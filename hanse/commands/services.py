"""`hanse services`: each service of the fleet, who exports it, and who gets how much traffic."""

import argparse
from collections.abc import Iterator

from hanse.asking import ask_hub, show, table_lines
from hanse.commands.options import Subcommands, add_hub, add_json
from hanse.questions import SERVICES
from shared.events.services import ExporterView, ServicesOverview, ServicesRequest, ServiceView

_HEADING = ("SERVICE", "TYPE", "PORTS", "CLUSTER", "READY", "NOW", "POLICY", "MESSAGE")


def add(subcommands: Subcommands) -> None:
    parser = subcommands.add_parser(
        "services", help="show what members export, and to whom it goes"
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="that one alone")
    parser.add_argument("--namespace", "-n", metavar="NAMESPACE", help="of that namespace alone")
    add_json(parser)
    add_hub(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Return 1 where the service that was asked for is not exported."""
    asked = ServicesRequest(namespace=options.namespace or "", name=options.name or "")
    found = ask_hub(options, SERVICES, asked, ServicesOverview)
    if found is None:
        return 2
    show(found, options, lambda one: "\n".join(text_of(one)) + "\n")
    return 0 if found.services or not options.name else 1


def text_of(found: ServicesOverview) -> Iterator[str]:
    """Yield the table, and below it what is in the way."""
    if not found.services:
        yield "no member exports a service"
    else:
        yield from table_lines([_HEADING, *(row for one in found.services for row in _rows(one))])
    notes = [
        f"{one.namespace}/{one.name}: {text}"
        for one in found.services
        for text in (*one.conflicts, *one.troubles)
    ]
    notes += found.warnings
    if notes:
        yield ""
        yield from notes


def _rows(service: ServiceView) -> Iterator[tuple[str, ...]]:
    told = (
        f"{service.namespace}/{service.name}",
        service.type or "-",
        ",".join(service.ports) or "-",
    )
    if not service.exporters:
        yield (*told, "-", "-", "-", "-", "no member has a Service of that name")
    for place, one in enumerate(service.exporters):
        shown = told if place == 0 else ("", "", "")
        yield (
            *shown,
            one.cluster,
            f"{one.ready}/{one.endpoints}",
            _percent(one.share),
            _percent(one.policy_share) if one.policy_share is not None else "-",
            _message(one),
        )


def _message(one: ExporterView) -> str:
    if one.message:
        return f"{one.reason}: {one.message}"
    return one.idle if one.reachable else "given up: nobody is sent there"


def _percent(share: float) -> str:
    return f"{share * 100:.1f}".removesuffix(".0") + "%"
