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
    name: str, bound: Collection[str], inhabited: Collection[str], arriving: Collection[str]
) -> frozenset[str]:
    """Clusters that must have the namespace.

    *bound*: its own binding says so. *inhabited*: a work lies there, be it one whose removal is
    not confirmed yet. *arriving*: one is about to.
    """
    if name in UNMANAGED:
        return frozenset()
    return frozenset(bound) | frozenset(inhabited) | frozenset(arriving)
