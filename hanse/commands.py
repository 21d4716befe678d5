"""What each subcommand does: reads its options, runs, prints for people, returns an exit status."""

import argparse
import asyncio
import signal
import sys
import tempfile
from collections.abc import Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from hanse.demo.scenario import Demo, Report
from hanse.demo.screen import Screen
from hanse.federation import FederationFailed, FederationSettings, start_federation
from hanse.hub import open_hub
from hanse.join import Place
from hanse.join import join as join_member
from hanse.leave import leave as leave_federation
from shared.errors import HanseError
from shared.memberapi.credentials import read_kubeconfig
from shared.memberapi.http import open_member
from shared.telemetry.setup import configure_logs

_SHOWN_MAX = 5
EXAMPLES = Path(__file__).parents[1] / "examples"


def demo(options: argparse.Namespace) -> int:
    """Run the demo in a folder of its own; 0 only if every check held."""
    configure_logs("demo", "error")
    try:
        report = uvloop.run(_demo(quiet=options.json))
    except (FederationFailed, HanseError) as err:
        sys.stderr.write(f"{err}\n")
        return 1
    if options.json:
        print(msgspec.json.encode(report).decode())
    return 0 if report.passed else 1


async def _demo(*, quiet: bool) -> Report:
    screen = Screen(quiet=quiet)
    screen.step("start NATS, six services and three simulated members, each a process")
    with tempfile.TemporaryDirectory(prefix="hanse-demo-") as folder:
        async with start_federation(FederationSettings(data_dir=Path(folder))) as federation:
            return await Demo(federation, screen, EXAMPLES).run()


def up(options: argparse.Namespace) -> int:
    """Run until interrupted."""
    configure_logs("up", "info")
    settings = FederationSettings(
        data_dir=options.data_dir,
        clusters=options.clusters,
        replicas=options.replicas,
        port=options.port,
        kubeconfig=options.kubeconfig,
    )
    try:
        uvloop.run(_up(settings))
    except (FederationFailed, HanseError) as err:
        sys.stderr.write(f"{err}\n")
        return 1
    except OSError as err:
        sys.stderr.write(f"cannot run in {settings.data_dir}: {err}\n")
        return 1
    return 0


async def _up(settings: FederationSettings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with start_federation(settings) as federation:
        print(f"Hanse is up with {settings.clusters} simulated members. Use it with:")
        print(f"  export KUBECONFIG={federation.kubeconfig}")
        print("  kubectl get clusters")
        print(f"  dig @127.0.0.1 -p {federation.dns_port()} dns-version.clusterset.local TXT")
        print("Ctrl-C stops it; the same --data-dir resumes it.", flush=True)
        await stop.wait()
        print("stopping", flush=True)


def join(options: argparse.Namespace) -> int:
    """Make a cluster a member, or say what is missing."""
    return _report(_join(options))


async def _join(options: argparse.Namespace) -> str:
    credentials = read_kubeconfig(options.member_kubeconfig, options.member_context)
    hub_access = read_kubeconfig(options.kubeconfig.expanduser(), options.context)
    place = Place(options.name, options.region, options.zone, options.provider)
    async with (
        open_hub(hub_access) as hub,
        open_member(credentials, name=options.name) as member,
    ):
        cluster = await join_member(hub, member, place, credentials)
    return f"{options.name} has joined: Kubernetes {cluster.status.kubernetes_version}"


def leave(options: argparse.Namespace) -> int:
    """End a membership, whether or not the member still answers."""
    return _report(_leave(options))


async def _leave(options: argparse.Namespace) -> str:
    hub_access = read_kubeconfig(options.kubeconfig.expanduser(), options.context)
    deadline = timedelta(seconds=options.timeout)
    async with open_hub(hub_access) as hub:
        left = await leave_federation(hub, options.name, options.objects, deadline=deadline)
    if not left.was_member:
        return f"{options.name} is not a member"
    if options.objects != "keep" and not left.left_behind:
        return f"{options.name} has left; nothing of the federation runs there any more"
    said = f"{options.name} has left; what runs there runs on, and is yours again"
    if left.left_behind:
        shown = ", ".join(left.left_behind[:_SHOWN_MAX])
        more = len(left.left_behind) - _SHOWN_MAX
        said += f": {shown}" + (f" and {more} more" if more > 0 else "")
    return said


def _report(work: Coroutine[Any, Any, str]) -> int:
    configure_logs("hanse", "error")
    try:
        print(uvloop.run(work))
    except HanseError as err:
        sys.stderr.write(f"{err}\n")
        return 1
    return 0
