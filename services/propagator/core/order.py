"""What must be in a member before what: foundations, then what workloads read, then the rest."""

from enum import IntEnum


class Rank(IntEnum):
    """A lower rank is applied first."""

    FOUNDATION = 0
    """Namespaces and CustomResourceDefinitions: nothing else can exist without them."""
    SUPPORT = 1
    """What workloads name: a pod whose ConfigMap is missing starts, fails and backs off."""
    WORKLOAD = 2


_RANKS: dict[tuple[str, str], Rank] = {
    ("", "namespaces"): Rank.FOUNDATION,
    ("apiextensions.k8s.io", "customresourcedefinitions"): Rank.FOUNDATION,
    ("", "serviceaccounts"): Rank.SUPPORT,
    ("", "configmaps"): Rank.SUPPORT,
    ("", "secrets"): Rank.SUPPORT,
    ("", "persistentvolumes"): Rank.SUPPORT,
    ("", "persistentvolumeclaims"): Rank.SUPPORT,
    ("", "resourcequotas"): Rank.SUPPORT,
    ("", "limitranges"): Rank.SUPPORT,
    ("scheduling.k8s.io", "priorityclasses"): Rank.SUPPORT,
    ("storage.k8s.io", "storageclasses"): Rank.SUPPORT,
    ("rbac.authorization.k8s.io", "roles"): Rank.SUPPORT,
    ("rbac.authorization.k8s.io", "rolebindings"): Rank.SUPPORT,
    ("rbac.authorization.k8s.io", "clusterroles"): Rank.SUPPORT,
    ("rbac.authorization.k8s.io", "clusterrolebindings"): Rank.SUPPORT,
}


def rank_of(group: str, resource: str) -> Rank:
    return _RANKS.get((group, resource), Rank.WORKLOAD)
