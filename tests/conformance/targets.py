"""The API servers that cases are played against: Hanse's gateway on NATS, and a real one."""

import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from sys import executable

from bench.gateway import gateway_environment
from shared.memberapi.sealing import ensure_key
from shared.runtime.certificates import ensure_serving_certificate
from shared.runtime.nats_server import NatsServer
from shared.runtime.tokens import ensure_token
from tests.conformance.play import Target
from tests.kube_apiserver import find_assets, run_controllers, run_kube_apiserver
from tests.processes import child, free_ports

START_SECONDS_MAX = 60.0


@contextmanager
def run_gateway(folder: Path) -> Iterator[Target]:
    """Run a gateway process over a nats-server in *folder*."""
    port, probes_port, nats_port = free_ports(3)
    nats = NatsServer(folder / "nats", port=nats_port)
    nats.prepare()
    ensure_key(folder / "envelope.key")
    tls, tokens = folder / "tls", folder / "tokens"
    ensure_serving_certificate(tls, ("127.0.0.1",))
    token = ensure_token(tokens)
    environment = gateway_environment(folder, nats, port=port, probes_port=probes_port)
    gateway = [executable, "-m", "services.gateway"]
    log = folder / "gateway.log"
    with child(nats.arguments, folder / "nats.log"), child(gateway, log, environment):
        context = ssl.create_default_context(cafile=tls / "ca.crt")
        _wait_until_ready(f"https://127.0.0.1:{port}/readyz", context, log)
        yield Target(f"https://127.0.0.1:{port}", token, context)


@contextmanager
def run_real(folder: Path) -> Iterator[Target]:
    """Run etcd and kube-apiserver, and the controllers where they are at hand too."""
    find_assets()
    with run_kube_apiserver(folder) as credentials, run_controllers(folder, credentials) as running:
        context = credentials.ssl_context()
        assert context is not None
        yield Target(credentials.server, credentials.token, context, has_controllers=running)


def _wait_until_ready(url: str, context: ssl.SSLContext, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=2, context=context):  # noqa: S310
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise AssertionError(f"the gateway did not become ready: {log.read_text()[-2000:]}")
