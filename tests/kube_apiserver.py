"""A real `etcd` and `kube-apiserver` for tests, from the folder KUBEBUILDER_ASSETS names (envtest).

Both listen on loopback ports that were free, keep their data in a temporary folder, and end with
the test. Without the binaries tests that ask for them are skipped, saying so.
"""

import os
import shutil
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from shared.memberapi.credentials import MemberCredentials
from shared.runtime.kubeconfig import write_kubeconfig
from tests.processes import child, free_ports

TOKEN = "kube-apiserver-test"
START_SECONDS_MAX = 90.0


ETCD_REQUEST_BYTES_MAX = 1_572_864
"""Etcd's default: what one object may take."""


def find_assets() -> Path:
    """The folder with both binaries; skips the test where there is none."""
    folder = os.environ.get("KUBEBUILDER_ASSETS")
    if not folder:
        pytest.skip("KUBEBUILDER_ASSETS is not set: no real API server to test against")
    for name in ("etcd", "kube-apiserver"):
        if shutil.which(name, path=folder) is None:
            pytest.skip(f"KUBEBUILDER_ASSETS has no {name}")
    return Path(folder)


@contextmanager
def run_kube_apiserver(
    folder: Path, *, request_bytes_max: int = ETCD_REQUEST_BYTES_MAX
) -> Iterator[MemberCredentials]:
    """Start both in *folder*, wait until ready, yield an administrator's credentials."""
    assets = find_assets()
    etcd_port, peer_port, api_port = free_ports(3)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    signing, public = folder / "sa.key", folder / "sa.pub"
    signing.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    public.write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    tokens = folder / "tokens.csv"
    tokens.write_text(f'{TOKEN},admin,admin,"system:masters"\n')
    etcd_url, peer_url = f"http://127.0.0.1:{etcd_port}", f"http://127.0.0.1:{peer_port}"
    etcd = [
        str(assets / "etcd"),
        "--name=default",
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls={etcd_url}",
        f"--advertise-client-urls={etcd_url}",
        f"--listen-peer-urls={peer_url}",
        f"--initial-advertise-peer-urls={peer_url}",
        f"--initial-cluster=default={peer_url}",
        "--unsafe-no-fsync",
        f"--max-request-bytes={request_bytes_max}",
        "--log-level=error",
    ]
    server = [
        str(assets / "kube-apiserver"),
        f"--etcd-servers={etcd_url}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={api_port}",
        f"--cert-dir={folder / 'certs'}",
        "--endpoint-reconciler-type=none",
        "--service-cluster-ip-range=10.0.0.0/24",
        f"--service-account-issuer=https://127.0.0.1:{api_port}",
        f"--service-account-key-file={public}",
        f"--service-account-signing-key-file={signing}",
        "--authorization-mode=RBAC",
        f"--token-auth-file={tokens}",
        "--disable-admission-plugins=ServiceAccount",
    ]
    url = f"https://127.0.0.1:{api_port}"
    with child(etcd, folder / "etcd.log"), child(server, folder / "apiserver.log") as process:
        authority = folder / "certs" / "apiserver.crt"
        _wait_until_ready(url, authority, process, folder / "apiserver.log")
        yield MemberCredentials(
            server=url, certificate_authority=authority.read_text(), token=TOKEN
        )


@contextmanager
def run_controllers(folder: Path, credentials: MemberCredentials) -> Iterator[bool]:
    """Run garbage collection and the emptying of namespaces beside a server, if it is there."""
    manager = shutil.which("kube-controller-manager", path=find_assets())
    if manager is None:
        yield False
        return
    kubeconfig = folder / "controllers.kubeconfig"
    write_kubeconfig(
        kubeconfig,
        name="controllers",
        server=credentials.server,
        certificate_authority=(credentials.certificate_authority or "").encode(),
        token=credentials.token or "",
    )
    command = [
        manager,
        f"--kubeconfig={kubeconfig}",
        "--controllers=garbage-collector-controller,namespace-controller",
        # Hundreds of cases leave a namespace each; nobody shall wait in line behind theirs.
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
        "--concurrent-namespace-syncs=50",
        "--leader-elect=false",
        "--bind-address=127.0.0.1",
        f"--secure-port={free_ports(1)[0]}",
        f"--cert-dir={folder / 'controller-certs'}",
    ]
    with child(command, folder / "controllers.log"):
        yield True


def _wait_until_ready(
    url: str, authority: Path, process: subprocess.Popen[bytes], log: Path
) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        if authority.exists():
            try:
                context = ssl.create_default_context(cafile=authority)
                ready = f"{url}/readyz"
                with urllib.request.urlopen(ready, timeout=2, context=context) as answer:  # noqa: S310
                    if answer.read() == b"ok":
                        return
            except (urllib.error.URLError, OSError):
                pass
        time.sleep(0.2)
    raise AssertionError(f"kube-apiserver did not become ready: {log.read_text()[-2000:]}")
