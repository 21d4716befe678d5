"""A namespace follows what lives in it: every member has those that its works need."""

from collections.abc import Collection

from shared.apimachinery.manifest import ObjectKey

UNMANAGED = frozenset({"", "default", "kube-system", "kube-public", "kube-node-lease"})
"""Every cluster has these from the start, and they are never Hanse's to make or remove."""


def namespace_key(name: str) -> ObjectKey:
    return ObjectKey("", "namespaces", "", name)


def is_namespace(key: ObjectKey) -> bool:
    return key.group == "" and key.resource == "namespaces"


def namespace_clusters(
    name: str,
    bound: Collection[str],
    inhabited: Collection[str],
    arriving: Collection[str],
    *,
    held: Collection[str] | None = None,
) -> frozenset[str]:
    """Clusters that must have the namespace.

    *bound*: its own binding says so. *inhabited*: a work lies there, be it one whose removal is
    not confirmed yet. *arriving*: one is about to. *held*, for one that stays away: where it
    followed before; from there it is not torn away from under what lives in it.
    """
    if name in UNMANAGED:
        return frozenset()
    following = frozenset(inhabited) | frozenset(arriving)
    return frozenset(bound) | (following if held is None else following & frozenset(held))
