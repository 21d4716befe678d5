"""The kubeconfig that `hanse up` writes, and keeping it off one that somebody else made.

Writing itself is `shared/runtime/kubeconfig.py`, which every process uses.
"""

from pathlib import Path

import yaml

from shared.runtime.kubeconfig import write_kubeconfig

CONTEXT = "hanse"

__all__ = ["CONTEXT", "holds_something_else", "write_kubeconfig"]


def holds_something_else(path: Path) -> bool:
    """Whether *path* is anything but absent, empty or a kubeconfig of a federation alone.

    Raises OSError.
    """
    if not path.exists():
        return False
    try:
        found = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError):
        return True
    if found is None:
        return False
    if not isinstance(found, dict) or found.get("kind") != "Config":
        return True
    entries = [*(found.get("clusters") or ()), *(found.get("contexts") or ())]
    return any(not isinstance(one, dict) or one.get("name") != CONTEXT for one in entries)
