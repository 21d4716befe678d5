"""What a member serves, read out of Kubernetes' discovery documents (pure).

Both forms are read: the aggregated one (KEP-3352: one document for all groups) and the classic
one (a list of groups, then one document for each group and version). Reviews and other resources
that cannot be listed are left out: there is nothing to hold of them.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from shared.apimachinery.manifest import GroupVersionKind, Manifest
from shared.memberapi.port import ResourceType

AGGREGATED_KIND = "APIGroupDiscoveryList"


def read_aggregated(document: Manifest) -> list[ResourceType]:
    """Each resource in every version that serves it, the preferred first."""
    found: dict[tuple[str, str, str], ResourceType] = {}
    for group in document.get("items") or []:
        group_name = str((group.get("metadata") or {}).get("name") or "")
        for version in group.get("versions") or []:
            if version.get("freshness") == "Stale":
                continue
            for one in version.get("resources") or []:
                kind = (one.get("responseKind") or {}).get("kind")
                if not kind or "list" not in (one.get("verbs") or ()):
                    continue
                gvk = GroupVersionKind(group_name, str(version["version"]), str(kind))
                resource = str(one["resource"])
                found.setdefault(
                    (group_name, gvk.version, resource),
                    ResourceType(gvk, resource, one.get("scope") == "Namespaced"),
                )
    return list(found.values())


def read_group_versions(groups: Manifest) -> list[str]:
    """Paths of the classic documents of an `APIGroupList` or `APIVersions`, preferred first."""
    if "versions" in groups:
        return [f"/api/{version}" for version in groups["versions"]]
    paths = []
    for group in groups.get("groups") or []:
        names = [str(version["groupVersion"]) for version in group.get("versions") or []]
        preferred = (group.get("preferredVersion") or {}).get("groupVersion")
        names.sort(key=lambda name: name != preferred)
        paths += [f"/apis/{name}" for name in names]
    return paths


def read_resource_lists(documents: Iterable[Manifest]) -> list[ResourceType]:
    """From `APIResourceList`s in the order of `read_group_versions`; subresources are left out."""
    found: dict[tuple[str, str, str], ResourceType] = {}
    for document in documents:
        group, _, version = str(document.get("groupVersion") or "").rpartition("/")
        for one in _resources(document):
            resource = str(one["name"])
            if "/" not in resource and "list" in (one.get("verbs") or ()):
                gvk = GroupVersionKind(group, version, str(one["kind"]))
                found.setdefault(
                    (group, version, resource),
                    ResourceType(gvk, resource, bool(one.get("namespaced"))),
                )
    return list(found.values())


def _resources(document: Manifest) -> Sequence[dict[str, Any]]:
    return document.get("resources") or []
