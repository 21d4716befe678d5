"""ClusterGroups as decisions need them: those that namespaces see."""

from collections.abc import Iterable, Mapping

from shared.api.cluster_group import ClusterGroup
from shared.api.matching import compile_selector


def check_group(group: ClusterGroup) -> None:
    """Raise `InvalidObject` where its label selector is malformed."""
    if group.spec.label_selector is not None:
        compile_selector(group.spec.label_selector)


def scopes_of(groups: Iterable[ClusterGroup]) -> Mapping[str, frozenset[str]]:
    """Namespace -> the groups that name it."""
    found: dict[str, set[str]] = {}
    for group in groups:
        for namespace in group.spec.namespaces:
            found.setdefault(namespace, set()).add(group.metadata.name)
    return {namespace: frozenset(names) for namespace, names in found.items()}
