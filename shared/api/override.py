"""`OverridePolicy` and `ClusterOverridePolicy`: what differs from cluster to cluster.

The vocabulary is Karmada's OverrideSpec; overriders run in the order of the fields below.
"""

from typing import Any, Literal

from shared.api.meta import Condition, Kind, Struct
from shared.api.selection import ClusterAffinity, ResourceSelector


class ImagePredicate(Struct, frozen=True, kw_only=True):
    """JSON pointer of the one image to change; without a predicate every container's image is."""

    path: str


class ImageOverrider(Struct, frozen=True, kw_only=True):
    predicate: ImagePredicate | None = None
    component: Literal["Registry", "Repository", "Tag"]
    operator: Literal["add", "remove", "replace"]
    value: str = ""


class CommandOverrider(Struct, frozen=True, kw_only=True):
    container_name: str
    operator: Literal["add", "remove"]
    value: tuple[str, ...] = ()


class MapOverrider(Struct, frozen=True, kw_only=True):
    """`remove` needs the keys only."""

    operator: Literal["add", "remove", "replace"]
    value: dict[str, str] = {}


class PlaintextOverrider(Struct, frozen=True, kw_only=True):
    """One JSON patch operation (RFC 6902); `path` is a JSON pointer."""

    path: str
    operator: Literal["add", "remove", "replace"]
    value: Any = None


class Overriders(Struct, frozen=True, kw_only=True):
    image_overrider: tuple[ImageOverrider, ...] = ()
    command_overrider: tuple[CommandOverrider, ...] = ()
    args_overrider: tuple[CommandOverrider, ...] = ()
    labels_overrider: tuple[MapOverrider, ...] = ()
    annotations_overrider: tuple[MapOverrider, ...] = ()
    plaintext: tuple[PlaintextOverrider, ...] = ()


class OverrideRule(Struct, frozen=True, kw_only=True):
    """Without `targetCluster` it is for every cluster."""

    target_cluster: ClusterAffinity | None = None
    overriders: Overriders


class OverrideSpec(Struct, frozen=True, kw_only=True):
    """Without `resourceSelectors` it is for every object (of the policy's namespace)."""

    resource_selectors: tuple[ResourceSelector, ...] = ()
    override_rules: tuple[OverrideRule, ...]


class OverrideStatus(Struct, frozen=True, kw_only=True):
    observed_generation: int = 0
    conditions: tuple[Condition, ...] = ()


class OverridePolicy(Kind, frozen=True, kw_only=True):
    kind: str = "OverridePolicy"
    spec: OverrideSpec
    status: OverrideStatus = OverrideStatus()
