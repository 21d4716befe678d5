"""What a member is and serves: its identity and its kinds."""

from collections.abc import Iterable
from dataclasses import dataclass

from shared.api.cluster import ApiEnablement, ApiResource
from shared.memberapi.port import ResourceType


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who answered: `id` is the uid of its namespace kube-system, which outlives its address."""

    id: str
    version: str
    enablements: tuple[ApiEnablement, ...] = ()


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
