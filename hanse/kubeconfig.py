"""Writing a kubeconfig that ordinary kubectl uses, readable by its owner only."""

import base64
import os
from pathlib import Path

import yaml


def write_kubeconfig(
    path: Path, *, name: str, server: str, certificate_authority: bytes, token: str
) -> None:
    """Write a kubeconfig with one context *name*; replaces the file in one step, mode 0600."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": name,
                "cluster": {
                    "server": server,
                    "certificate-authority-data": base64.b64encode(certificate_authority).decode(),
                },
            }
        ],
        "users": [{"name": name, "user": {"token": token}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        yaml.safe_dump(document, file, sort_keys=False)
    scratch.replace(path)
