"""Whether an object in a member is one of a deleted template, and goes for the next one (pure)."""

from services.propagator.core.marks import ADOPTED, is_managed
from shared.apimachinery.manifest import GroupVersionKind, Manifest, annotations_of
from shared.events.orders import TEMPLATE_UID
from shared.events.work import WorkOrder

_STAYING = frozenset(
    {
        # With them would go what nobody ordered to go.
        ("", "Namespace"),
        ("apiextensions.k8s.io", "CustomResourceDefinition"),
        ("", "PersistentVolumeClaim"),
        ("", "PersistentVolume"),
    }
)


def must_go(live: Manifest, gvk: GroupVersionKind, order: WorkOrder) -> bool:
    """Whether *live* was made for another template than that of *order*, and nobody else's."""
    if (gvk.group, gvk.kind) in _STAYING or order.preserve_on_deletion:
        return False
    annotations = annotations_of(live)
    former = annotations.get(TEMPLATE_UID) or ""
    return (
        bool(former)
        and former != order.template_uid
        and is_managed(live)
        and ADOPTED not in annotations
    )
