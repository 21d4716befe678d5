"""What goes with a namespace or a definition when that is deleted, and is not Hanse's (pure).

Deleting one of the two takes along all that lives in it or is of its kind, whoever made that. Hanse
deletes only what it made, so it has to look first. What the member's own controllers put into every
namespace, or make for something else that is looked at, lives there for nobody's sake.
"""

from collections.abc import Iterable

from services.propagator.core.marks import is_managed
from shared.apimachinery.manifest import GroupVersionKind, Manifest, metadata_of, name_of
from shared.memberapi.port import ResourceType

_DEFINITION = ("apiextensions.k8s.io", "customresourcedefinitions")
_NAMESPACE = ("", "namespaces")
_TRACES = frozenset(
    {
        ("", "endpoints"),
        ("", "events"),
        ("coordination.k8s.io", "leases"),
        ("discovery.k8s.io", "endpointslices"),
        ("events.k8s.io", "events"),
    }
)
"""Left by what runs: of no use without it."""
_FURNITURE = frozenset(
    {
        ("", "configmaps", "istio-ca-root-cert"),
        ("", "configmaps", "kube-root-ca.crt"),
        ("", "configmaps", "openshift-service-ca.crt"),
        ("", "serviceaccounts", "builder"),
        ("", "serviceaccounts", "default"),
        ("", "serviceaccounts", "deployer"),
    }
)
_ACCOUNT_TOKEN = "kubernetes.io/service-account-token"


def takes_others_along(kind: ResourceType) -> bool:
    return (kind.gvk.group, kind.resource) in (_NAMESPACE, _DEFINITION)


def is_definition(kind: ResourceType) -> bool:
    return (kind.gvk.group, kind.resource) == _DEFINITION


def inhabiting(served: Iterable[ResourceType]) -> list[ResourceType]:
    """Of the kinds a member serves, those that may live in a namespace; each in one version."""
    found: dict[tuple[str, str], ResourceType] = {}
    for kind in served:
        name = (kind.gvk.group, kind.resource)
        if kind.namespaced and name not in _TRACES and kind.gvk.group != "metrics.k8s.io":
            found.setdefault(name, kind)
    return list(found.values())


def defined_by(definition: Manifest) -> ResourceType | None:
    """The kind that *definition* defines, as it is stored; None where that cannot be told."""
    spec = definition.get("spec") or {}
    names = spec.get("names") or {}
    for version in spec.get("versions") or ():
        if version.get("storage") and version.get("served"):
            gvk = GroupVersionKind(str(spec.get("group")), version["name"], str(names.get("kind")))
            return ResourceType(gvk, str(names.get("plural")), spec.get("scope") == "Namespaced")
    return None


def is_anothers(kind: ResourceType, manifest: Manifest) -> bool:
    """Whether somebody other than Hanse and the member's controllers made this object.

    One with an owner goes with that, which is looked at by itself.
    """
    metadata = metadata_of(manifest)
    name = name_of(manifest)
    return not (
        is_managed(manifest)
        or metadata.get("ownerReferences")
        or metadata.get("deletionTimestamp")
        or name.startswith("system:")
        or (kind.gvk.group, kind.resource, name) in _FURNITURE
        or manifest.get("type") == _ACCOUNT_TOKEN
    )
