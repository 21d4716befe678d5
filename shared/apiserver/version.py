"""What `/version` answers: the Kubernetes API that is spoken, by a server of ours."""

import platform
import re
import sys
from typing import Any

KUBERNETES_VERSION = "v1.36.0+hanse"
_VERSION = re.compile(r"v(\d+)\.(\d+)\..+")


def version_info(git_version: str = KUBERNETES_VERSION) -> dict[str, Any]:
    """Build `version.Info`; *git_version* is like `v1.36.0+hanse`, else ValueError."""
    found = _VERSION.fullmatch(git_version)
    if found is None:
        raise ValueError(f"not a Kubernetes version: {git_version!r}")
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return {
        "major": found[1],
        "minor": found[2],
        "gitVersion": git_version,
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": f"python{sys.version_info.major}.{sys.version_info.minor}",
        "compiler": platform.python_implementation().lower(),
        "platform": f"{sys.platform}/{machine}",
    }
