"""`hanse dns stub`: the lines by which a member's CoreDNS sends names of all members to Hanse."""

import argparse
import ipaddress
from collections.abc import Iterator, Sequence

import msgspec

from hanse.commands.options import Subcommands, add_json, member_name
from shared.api.multicluster import CLUSTER_OPTION, CLUSTERSET_DOMAIN

_CACHE_SECONDS = 5


def add(subcommands: Subcommands) -> None:
    parser = subcommands.add_parser("dns", help="have members ask for the names of all")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    stub = verbs.add_parser("stub", help="print what a member's Corefile needs")
    stub.add_argument(
        "name", type=member_name, metavar="CLUSTER", help="the member's name in the federation"
    )
    stub.add_argument(
        "--server",
        action="append",
        required=True,
        type=_server,
        metavar="ADDRESS[:PORT]",
        help="a process of traffic that answers for names; may be repeated (default port 53)",
    )
    add_json(stub)
    stub.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    lines = list(stub_lines(options.name, options.server))
    if options.json:
        found = {"cluster": options.name, "domain": CLUSTERSET_DOMAIN, "corefile": "\n".join(lines)}
        print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    else:
        print(f"# In the Corefile of {options.name} (ConfigMap coredns in kube-system):")
        print("\n".join(lines))
    return 0


def stub_lines(cluster: str, servers: Sequence[str]) -> Iterator[str]:
    """One server block. It says which member asks, for each has its own addresses of services."""
    yield f"{CLUSTERSET_DOMAIN}:53 {{"
    yield "    errors"
    yield f"    cache {_CACHE_SECONDS}"
    yield f"    rewrite edns0 local set {CLUSTER_OPTION:#06x} {cluster}"
    yield f"    forward . {' '.join(servers)} {{"
    yield "        policy sequential"
    yield "        max_fails 2"
    yield "    }"
    yield "    reload"
    yield "}"


def _server(text: str) -> str:
    """Address and port as CoreDNS reads them; raises `argparse.ArgumentTypeError`."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        host, _, port = text.rpartition(":")
        bare = host.removeprefix("[").removesuffix("]")
        try:
            address = ipaddress.ip_address(bare)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is no address and port") from None
        if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65_536:
            raise argparse.ArgumentTypeError(f"{text!r} has no port") from None
        return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"
    return f"[{address}]:53" if address.version == 6 else f"{address}:53"
