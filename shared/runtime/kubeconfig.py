"""Writing a kubeconfig that ordinary kubectl uses, readable by its owner only."""

import base64
from pathlib import Path

import yaml

from shared.runtime.certificates import write_private


def write_kubeconfig(
    path: Path, *, name: str, server: str, certificate_authority: bytes, token: str
) -> None:
    """Write a kubeconfig with one context *name*; replaces the file in one step, mode 0600."""
    authority = base64.b64encode(certificate_authority).decode()
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": name, "cluster": {"server": server, "certificate-authority-data": authority}}
        ],
        "users": [{"name": name, "user": {"token": token}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_private(path, yaml.safe_dump(document, sort_keys=False).encode())
