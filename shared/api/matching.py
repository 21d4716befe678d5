"""Whether a selector of a policy covers an object, and whether an affinity covers a cluster.

Group and kind decide, not the version: an object is stored in one version however it was written,
and a policy that names another version of the same kind means the same object.
"""

from collections.abc import Iterable, Mapping
from enum import IntEnum
from functools import lru_cache

import msgspec

from shared.api.cluster import Cluster
from shared.api.cluster_group import ClusterGroup
from shared.api.selection import (
    ClusterAffinity,
    FieldSelector,
    GroupAffinity,
    LabelSelector,
    ResourceSelector,
)
from shared.apimachinery import selectors
from shared.apimachinery.manifest import (
    GroupVersionKind,
    Manifest,
    labels_of,
    name_of,
    namespace_of,
)
from shared.errors import FieldError, InvalidObject

ANY = "*"

Groups = Mapping[str, ClusterAffinity]
"""Who is in each ClusterGroup, by its name."""

NO_GROUPS: Groups = {}

_encode = msgspec.json.Encoder().encode


class Match(IntEnum):
    """How closely a selector speaks of an object; the greater is the closer."""

    EVERYTHING = 1
    KIND = 2
    LABELS = 3
    NAME = 4


def match_resource(selector: ResourceSelector, manifest: Manifest) -> Match | None:
    """How *selector* selects the object; None when it does not.

    An empty `namespace` is every namespace: that a namespaced policy speaks of its own only is for
    the caller to hold. A name makes the label selector void. Raises `InvalidObject` for a
    malformed label selector.
    """
    gvk = GroupVersionKind.of(manifest)
    if selector.kind not in (ANY, gvk.kind):
        return None
    if selector.api_version != ANY and selector.api_version.rpartition("/")[0] != gvk.group:
        return None
    if selector.namespace and selector.namespace != namespace_of(manifest):
        return None
    if selector.name:
        return Match.NAME if selector.name == name_of(manifest) else None
    if selector.label_selector is not None:
        matches = compile_selector(selector.label_selector).matches(labels_of(manifest))
        return Match.LABELS if matches else None
    return Match.EVERYTHING if selector.kind == ANY else Match.KIND


def covers(affinity: ClusterAffinity | None, cluster: Cluster) -> bool:
    """Whether *affinity* covers *cluster*; None covers all.

    Raises `InvalidObject` for a malformed label selector.
    """
    spec, metadata = cluster.spec, cluster.metadata
    place = {"provider": spec.provider, "region": spec.region, "zone": spec.zone}
    return covers_place(affinity, metadata.name, metadata.labels, place)


def covers_in(affinity: GroupAffinity | None, cluster: Cluster, groups: Groups) -> bool:
    """`covers`, also by the groups that *affinity* names; *groups* are those there are."""
    if not covers(affinity, cluster):
        return False
    if affinity is None or not affinity.cluster_groups:
        return True
    return any(
        covers(group, cluster)
        for name in affinity.cluster_groups
        if (group := groups.get(name)) is not None
    )


def groups_of(cluster: Cluster, groups: Iterable[ClusterGroup]) -> frozenset[str]:
    """Names of the groups that *cluster* is in; raises as `covers`."""
    return frozenset(one.metadata.name for one in groups if covers(one.spec, cluster))


def covers_place(
    affinity: ClusterAffinity | None,
    name: str,
    labels: Mapping[str, str],
    place: Mapping[str, str],
) -> bool:
    """`covers` for whoever does not hold a `Cluster`; *place* has provider, region and zone."""
    if affinity is None:
        return True
    if name in affinity.exclude:
        return False
    if affinity.cluster_names and name not in affinity.cluster_names:
        return False
    if affinity.label_selector is not None and not compile_selector(
        affinity.label_selector
    ).matches(labels):
        return False
    return affinity.field_selector is None or _fields_match(affinity.field_selector, place)


def _fields_match(selector: FieldSelector, place: Mapping[str, str]) -> bool:
    return all(
        (place[one.key] in one.values) is (one.operator == "In")
        for one in selector.match_expressions
    )


def compile_selector(selector: LabelSelector) -> selectors.LabelSelector:
    """Check a label selector and make it ready to match; raises `InvalidObject`."""
    # By its JSON, since a struct with a dict cannot be a key.
    return _compile(_encode(selector))


@lru_cache(maxsize=4_096)
def _compile(encoded: bytes) -> selectors.LabelSelector:
    selector = msgspec.json.decode(encoded, type=LabelSelector)
    try:
        return selectors.from_struct(selector)
    except ValueError as err:
        message = f"malformed label selector: {err}"
        raise InvalidObject(message, [FieldError("labelSelector", str(err))]) from err
