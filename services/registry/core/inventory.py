"""What a member is and serves: its identity, its version, its kinds."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from shared.api.cluster import ApiEnablement, ApiResource
from shared.memberapi.port import ResourceType

VERSION_MIN = (1, 24)
"""Server-side apply as Hanse uses it, and discovery that tells all kinds."""

_NUMBERS = re.compile(r"v?(\d+)\.(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who answered: `id` is the uid of its namespace kube-system, which outlives its address."""

    id: str
    version: str
    enablements: tuple[ApiEnablement, ...] = ()


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


def enablements_of(kinds: Iterable[ResourceType]) -> tuple[ApiEnablement, ...]:
    """Group *kinds* by group/version, in a fixed order, so that equal inventories are equal."""
    groups: dict[str, dict[str, ApiResource]] = {}
    for kind in kinds:
        resource = ApiResource(name=kind.resource, kind=kind.gvk.kind, namespaced=kind.namespaced)
        groups.setdefault(kind.gvk.api_version, {})[kind.resource] = resource
    return tuple(
        ApiEnablement(
            group_version=version,
            resources=tuple(found for _, found in sorted(resources.items())),
        )
        for version, resources in sorted(groups.items())
    )
