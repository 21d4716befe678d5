"""Roles and their bindings."""

from collections.abc import Iterator, Mapping
from typing import Any

from shared.apimachinery import texts
from shared.apimachinery.manifest import Manifest
from shared.apimachinery.parts import entries, section
from shared.apiserver.semantics.faults import invalid, named, required, text, unsupported
from shared.apiserver.semantics.selectors import label_selector
from shared.errors import FieldError

_GROUP = "rbac.authorization.k8s.io"
_SUBJECTS = ("ServiceAccount", "User", "Group")


def judge_role(manifest: Manifest) -> list[FieldError]:
    return list(_rules(manifest, namespaced=True))


def judge_cluster_role(manifest: Manifest) -> list[FieldError]:
    faults = list(_rules(manifest, namespaced=False))
    if manifest.get("aggregationRule") is not None:
        at = "aggregationRule.clusterRoleSelectors"
        found = entries(section(manifest, "aggregationRule"), "clusterRoleSelectors")
        if not found:
            why = "at least one clusterRoleSelector required if aggregationRule is non-nil"
            faults.append(required(at, why))
        for number, one in enumerate(found):
            faults += label_selector(one, f"{at}[{number}]")
    return faults


def _rules(manifest: Manifest, *, namespaced: bool) -> Iterator[FieldError]:
    for number, rule in enumerate(entries(manifest, "rules")):
        at = f"rules[{number}]"
        if not rule.get("verbs"):
            yield required(f"{at}.verbs", "verbs must contain at least one value")
        paths = rule.get("nonResourceURLs")
        if paths:
            if namespaced:
                why = "namespaced rules cannot apply to non-resource URLs"
                yield invalid(f"{at}.nonResourceURLs", paths, why)
            if any(rule.get(name) for name in ("apiGroups", "resources", "resourceNames")):
                why = "rules cannot apply to both regular resources and non-resource URLs"
                yield invalid(f"{at}.nonResourceURLs", paths, why)
            continue
        if not rule.get("apiGroups"):
            why = "resource rules must supply at least one api group"
            yield required(f"{at}.apiGroups", why)
        if not rule.get("resources"):
            yield required(f"{at}.resources", "resource rules must supply at least one resource")


def judge_role_binding(manifest: Manifest) -> list[FieldError]:
    return list(_binding(manifest, ("Role", "ClusterRole"), namespaced=True))


def judge_cluster_role_binding(manifest: Manifest) -> list[FieldError]:
    return list(_binding(manifest, ("ClusterRole",), namespaced=False))


def _binding(
    manifest: Manifest, kinds: tuple[str, ...], *, namespaced: bool
) -> Iterator[FieldError]:
    role = section(manifest, "roleRef")
    # Both groups may be left out: they are defaulted before they are looked at.
    if role.get("apiGroup") not in (None, "", _GROUP):
        yield unsupported("roleRef.apiGroup", role["apiGroup"], (_GROUP,))
    if role.get("kind") not in kinds:
        yield unsupported("roleRef.kind", role.get("kind") or "", kinds)
    yield from named(role, "roleRef", texts.path_segment)
    for number, one in enumerate(entries(manifest, "subjects")):
        yield from _subject(one, f"subjects[{number}]", namespaced=namespaced)


def _subject(one: Mapping[str, Any], path: str, *, namespaced: bool) -> Iterator[FieldError]:
    kind, group = one.get("kind") or "", one.get("apiGroup") or ""
    if not one.get("name"):
        yield required(f"{path}.name")
    if kind not in _SUBJECTS:
        yield unsupported(f"{path}.kind", kind, _SUBJECTS)
    elif kind != "ServiceAccount":
        if group not in ("", _GROUP):
            yield unsupported(f"{path}.apiGroup", group, (_GROUP,))
    else:
        if one.get("name"):
            yield from text(one["name"], f"{path}.name", texts.subdomain)
        if group:
            yield unsupported(f"{path}.apiGroup", group, ("",))
        if not namespaced and not one.get("namespace"):
            yield required(f"{path}.namespace")
