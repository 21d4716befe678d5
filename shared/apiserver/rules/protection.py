"""Deletion protection: what bears the label is not deleted, nor is the namespace it lives in."""

from collections.abc import Mapping, Sequence
from typing import Any

from shared.apimachinery.manifest import Manifest, labels_of
from shared.apiserver.admission import Write
from shared.apiserver.life.marks import NAMESPACES
from shared.apiserver.status_errors import forbidden
from shared.store.port import Mirror

LABEL = "hanse.dev/deletion-protected"
"""Protects with any value but `false`, which is as good as no label."""

KARMADAS_LABEL = "resourcetemplate.karmada.io/deletion-protected"
KARMADAS_VALUE = "Always"
_SHOWN_MAX = 5


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
            shown = ", ".join(contents[:_SHOWN_MAX])
            if len(contents) > _SHOWN_MAX:
                shown += f" and {len(contents) - _SHOWN_MAX} more"
            raise forbidden(resource, name, f"what is in it is protected from deletion: {shown}")
        return ()

    def _protected_in(self, namespace: str) -> list[str]:
        return sorted(
            f"{stored.key.group_resource} {stored.key.name}"
            for stored in self._mirror.items()
            if stored.key.namespace == namespace and protecting_label(stored.manifest)
        )


def protecting_label(manifest: Manifest) -> str:
    """The label that protects the object; empty where none does."""
    labels: Mapping[str, Any] = labels_of(manifest)
    if labels.get(LABEL, "false") != "false":
        return LABEL
    return KARMADAS_LABEL if labels.get(KARMADAS_LABEL) == KARMADAS_VALUE else ""
