"""The group and the names of a definition."""

from collections.abc import Iterator, Mapping
from typing import Any

from shared.apimachinery.manifest import Manifest, metadata_of, name_of
from shared.apiserver.definitions.reading import at, entries
from shared.apiserver.names import check_service_name as check_1035_label
from shared.apiserver.names import check_subdomain
from shared.apiserver.semantics.faults import invalid, required, unsupported
from shared.errors import FieldError

_APPROVED = "api-approved.kubernetes.io"
_PROTECTED = ("k8s.io", "kubernetes.io")


def check_group(spec: Mapping[str, Any], manifest: Manifest) -> Iterator[FieldError]:
    """The name of the definition, its group and its scope."""
    group, plural, name = spec.get("group"), at(spec, "names", "plural"), name_of(manifest)
    if fault := check_subdomain(name):
        yield invalid("metadata.name", name, fault)
    if name != f"{plural or ''}.{group or ''}":
        yield invalid("metadata.name", name, 'must be spec.names.plural+"."+spec.group')
    if not isinstance(group, str) or not group:
        yield required("spec.group")
    elif (fault := check_subdomain(group)) is not None:
        yield invalid("spec.group", group, fault)
    elif "." not in group:
        yield invalid("spec.group", group, "should be a domain with at least one dot")
    scope = spec.get("scope")
    if not scope:
        yield required("spec.scope")
    elif scope not in ("Namespaced", "Cluster"):
        yield unsupported("spec.scope", scope, ("Cluster", "Namespaced"))


def check_names(names: Any) -> Iterator[FieldError]:
    """Names of kinds may have capitals, all others are labels (RFC 1035)."""
    for name in ("plural", "singular", "kind", "listKind"):
        if not at(names, name):
            yield required(f"spec.names.{name}")
    for name in ("plural", "singular"):
        yield from _check_label(f"spec.names.{name}", at(names, name))
    for name in ("kind", "listKind"):
        found = at(names, name)
        if found and (fault := check_1035_label(str(found).lower())):
            why = f"may have mixed case, but should otherwise match: {fault}"
            yield invalid(f"spec.names.{name}", found, why)
    for place, found in enumerate(entries(names, "shortNames")):
        yield from _check_label(f"spec.names.shortNames[{place}]", found)
    kind = at(names, "kind")
    if kind and kind == at(names, "listKind"):
        yield invalid("spec.names.listKind", kind, "kind and listKind may not be the same")
    for place, found in enumerate(entries(names, "categories")):
        yield from _check_label(f"spec.names.categories[{place}]", found)


def _check_label(path: str, name: Any) -> Iterator[FieldError]:
    if name and (fault := check_1035_label(str(name))):
        yield invalid(path, name, fault)


def check_approval(
    spec: Mapping[str, Any], manifest: Manifest, old: Manifest | None
) -> Iterator[FieldError]:
    """Groups of the Kubernetes project itself need its approval, or say that they have none."""
    group = str(spec.get("group") or "")
    if not any(group == name or group.endswith(f".{name}") for name in _PROTECTED):
        return
    path = f"metadata.annotations[{_APPROVED}]"
    approval = _approval(manifest)
    if old is not None and _approval(old) == approval:
        return
    start = f'protected groups must have approval annotation "{_APPROVED}"'
    see = "see https://github.com/kubernetes/enhancements/pull/1111"
    if not approval:
        yield required(path, f"{start}, {see}")
    elif not approval.startswith(("http://", "https://", "unapproved")):
        why = f'{start} with either a URL or a reason starting with "unapproved", {see}'
        yield invalid(path, approval, why)


def _approval(manifest: Manifest) -> str:
    return str((metadata_of(manifest).get("annotations") or {}).get(_APPROVED) or "")
