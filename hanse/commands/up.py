"""`hanse up`: a federation on this machine, until interrupted."""

import argparse
import asyncio
import signal
import sys
from pathlib import Path

import uvloop

from hanse.commands.options import Subcommands, number
from hanse.local.federation import FederationFailed, FederationSettings, start_federation
from shared.errors import HanseError
from shared.telemetry.setup import configure_logs


def add(subcommands: Subcommands) -> None:
    parser = subcommands.add_parser("up", help="run a federation on this machine")
    parser.add_argument(
        "--clusters",
        type=number(0, 100),
        default=3,
        metavar="N",
        help="simulated members (default 3)",
    )
    parser.add_argument(
        "--replicas",
        type=number(1, 9),
        default=1,
        metavar="N",
        help="how many of each service; the others stand by (default 1)",
    )
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=Path(".hanse"),
        metavar="DIR",
        help="what is kept, and resumed by the next run (default .hanse)",
    )
    parser.add_argument(
        "--port",
        type=number(1, 65_535),
        default=8443,
        help="the gateway's port on loopback (default 8443)",
    )
    parser.add_argument(
        "--kubeconfig",
        type=Path,
        metavar="FILE",
        help="written for kubectl (default DIR/kubeconfig)",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
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
    for sent in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(sent, stop.set)
    async with start_federation(settings) as federation:
        print(f"Hanse is up with {settings.clusters} simulated members. Use it with:")
        print(f"  export KUBECONFIG={federation.kubeconfig}")
        print("  kubectl get clusters")
        print(f"  dig @127.0.0.1 -p {federation.dns_port()} dns-version.clusterset.local TXT")
        print("Ctrl-C stops it; the same --data-dir resumes it.", flush=True)
        await stop.wait()
        print("stopping", flush=True)
