"""Which versions of Kubernetes a member may run."""

import re

import msgspec

VERSION_MIN = (1, 24)
"""Server-side apply as Hanse uses it, and discovery that tells all kinds."""

_NUMBERS = re.compile(r"v?(\d+)\.(\d+)")


class _Version(msgspec.Struct):
    git_version: str = msgspec.field(default="", name="gitVersion")


def read_version(body: bytes) -> str:
    """Return `v1.31.2` out of the answer of `/version`; empty for what is none."""
    try:
        return msgspec.json.decode(body, type=_Version).git_version
    except msgspec.DecodeError:
        return ""


def is_supported(version: str) -> bool:
    found = _NUMBERS.match(version)
    return found is not None and (int(found[1]), int(found[2])) >= VERSION_MIN
