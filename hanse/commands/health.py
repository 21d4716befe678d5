"""`hanse health`: each member as each observer sees it, and what all of them make of it."""

import argparse
from collections.abc import Iterator

import msgspec

from hanse.asking import ask_hub, table_lines
from hanse.commands.options import Subcommands, add_hub, add_json, member_name
from hanse.questions import FLEET_HEALTH
from shared.events.cluster import Reach
from shared.events.fleet_health import ClusterHealth, FleetHealth, HealthRequest, SeenBy

_HEADING = ("CLUSTER", "VERDICT", "OBSERVER", "REGION", "SEES", "AGE", "LATENCY", "MESSAGE")


def add(subcommands: Subcommands) -> None:
    parser = subcommands.add_parser("health", help="show members as each observer sees them")
    parser.add_argument(
        "clusters", nargs="*", type=member_name, metavar="CLUSTER", help="those alone"
    )
    add_json(parser)
    add_hub(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Return 0 only where every cluster asked for is reachable and nothing is amiss with it."""
    asked = HealthRequest(clusters=tuple(dict.fromkeys(options.clusters)))
    found = ask_hub(options, FLEET_HEALTH, asked, FleetHealth)
    if found is None:
        return 2
    if options.json:
        print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    else:
        print("\n".join(text_of(found)))
    well = all(one.reach is Reach.REACHABLE and not one.conditions for one in found.clusters)
    return 0 if well else 1


def text_of(found: FleetHealth) -> Iterator[str]:
    """Yield the table, and below it what is amiss."""
    if not found.clusters:
        yield "no cluster has joined the federation"
        return
    yield from table_lines([_HEADING, *(row for one in found.clusters for row in _rows(one))])
    if len(found.observers) > 1:
        names = ", ".join(found.observers)
        yield f"\n{found.quorum} of {names} must agree that a member is gone."
    amiss = [
        f"{one.cluster}: {text}"
        for one in found.clusters
        for text in (*one.conditions, *one.taints)
    ]
    if amiss:
        yield ""
        yield from amiss


def _rows(cluster: ClusterHealth) -> Iterator[tuple[str, ...]]:
    if not cluster.observers:
        yield (
            cluster.cluster,
            _verdict(cluster.reach),
            "-",
            "-",
            "-",
            "-",
            "-",
            "nobody has looked",
        )
    for place, one in enumerate(cluster.observers):
        shown = (cluster.cluster, _verdict(cluster.reach)) if place == 0 else ("", "")
        yield (
            *shown,
            one.observer,
            one.region or "-",
            _sees(one),
            f"{one.age_seconds:.0f}s",
            f"{one.latency_milliseconds}ms" if one.latency_milliseconds is not None else "-",
            one.message,
        )


def _verdict(reach: Reach) -> str:
    return "Healthy" if reach is Reach.REACHABLE else str(reach)


def _sees(one: SeenBy) -> str:
    lost = f" ({one.failures} lost)" if one.failures else ""
    return f"{one.reach}{lost}{' blind' if one.blind else ''}"
