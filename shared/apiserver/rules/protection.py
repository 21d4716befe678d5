"""Deletion protection: what bears the label is not deleted, nor what it lives in or runs by.

That is its namespace, and the policy that placed it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from shared.api.meta import GROUP
from shared.apimachinery.manifest import GroupResource, Manifest, ObjectKey, labels_of
from shared.apiserver.admission import Write
from shared.apiserver.life.marks import NAMESPACES
from shared.apiserver.status_errors import forbidden
from shared.store.port import Mirror, Scope

LABEL = "hanse.dev/deletion-protected"
"""Protects with any value but `false`, which is as good as no label."""

KARMADAS_LABEL = "resourcetemplate.karmada.io/deletion-protected"
KARMADAS_VALUE = "Always"
_SHOWN_MAX = 5
_POLICIES = frozenset(
    GroupResource(GROUP, name) for name in ("propagationpolicies", "clusterpropagationpolicies")
)
_BINDINGS = tuple(
    Scope.of(GroupResource(GROUP, name)) for name in ("resourcebindings", "clusterresourcebindings")
)


class DeletionProtection:
    """An admission for every kind; reads the contents of namespaces from *mirror*."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror

    def admit(self, write: Write) -> Sequence[str]:
        old = write.old
        if write.new is not None or old is None or old["metadata"].get("deletionTimestamp"):
            return ()
        resource, name = write.kind.group_resource, str(old["metadata"]["name"])
        if label := protecting_label(old):
            why = f"it is protected from deletion by its label {label}; take that away first"
            raise forbidden(resource, name, why)
        if resource == NAMESPACES and (contents := self._protected_in(name)):
            why = f"what is in it is protected from deletion: {_shown(contents)}"
            raise forbidden(resource, name, why)
        if resource in _POLICIES and (placed := self._protected_under(old)):
            why = f"what it placed is protected from deletion: {_shown(placed)}"
            raise forbidden(resource, name, why)
        return ()

    def _protected_in(self, namespace: str) -> list[str]:
        return sorted(
            f"{stored.key.group_resource} {stored.key.name}"
            for stored in self._mirror.items()
            if stored.key.namespace == namespace and protecting_label(stored.manifest)
        )

    def _protected_under(self, policy: Manifest) -> list[str]:
        """What runs by the word of *policy* alone: it would go from every member with it."""
        metadata = policy["metadata"]
        chosen = (policy.get("kind"), metadata.get("namespace") or "", metadata["name"])
        found = []
        for scope in _BINDINGS:
            for stored in self._mirror.items(scope):
                spec = stored.manifest.get("spec") or {}
                if _policy_of(spec) != chosen:
                    continue
                template = self._mirror.get(_template_of(spec.get("resource") or {}))
                if template is not None and protecting_label(template.manifest):
                    found.append(_named(template.key))
        return sorted(found)


def _policy_of(binding: Mapping[str, Any]) -> tuple[Any, ...]:
    policy = binding.get("policy") or {}
    return (policy.get("kind"), policy.get("namespace") or "", policy.get("name"))


def _named(key: ObjectKey) -> str:
    place = f"{key.namespace}/" if key.namespace else ""
    return f"{key.group_resource} {place}{key.name}"


def _template_of(resource: Mapping[str, Any]) -> ObjectKey:
    group, _, _ = str(resource.get("apiVersion") or "").rpartition("/")
    named = (str(resource.get(part) or "") for part in ("resource", "namespace", "name"))
    return ObjectKey(group, *named)


def _shown(protected: Sequence[str]) -> str:
    shown = ", ".join(protected[:_SHOWN_MAX])
    left = len(protected) - _SHOWN_MAX
    return f"{shown} and {left} more" if left > 0 else shown


def protecting_label(manifest: Manifest) -> str:
    """The label that protects the object; empty where none does."""
    labels: Mapping[str, Any] = labels_of(manifest)
    if labels.get(LABEL, "false") != "false":
        return LABEL
    return KARMADAS_LABEL if labels.get(KARMADAS_LABEL) == KARMADAS_VALUE else ""
