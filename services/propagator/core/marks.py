"""The marks Hanse leaves on every object it holds in a member, and reading them back."""

from shared.apimachinery.manifest import Manifest, metadata_of
from shared.events.orders import MANAGED_LABEL, TEMPLATE_UID, WORK_GENERATION
from shared.memberapi.request import FIELD_MANAGER

MANAGED_SELECTOR = f"{MANAGED_LABEL}=true"
UNMANAGED_SELECTOR = f"{MANAGED_LABEL}!=true"
ADOPTED = "hanse.dev/adopted"
"""Annotation of what was there before Hanse: what it was, as JSON (`core/adoption.py`)."""
ORPHANED = "hanse.dev/orphaned"
"""Annotation of what was left by `--cascade=orphan`, to be known again (`core/orphans.py`)."""
FENCED_LABEL = "hanse.dev/fenced"
"""What must stop when the member is on its own for too long."""
FENCED_SELECTOR = f"{FENCED_LABEL}=true"
MARKS = frozenset({MANAGED_LABEL, TEMPLATE_UID, WORK_GENERATION, FENCED_LABEL})

# As dispatch leaves it and the worker fills it in. A quote inside a JSON string is escaped, so the
# pattern can only be a key; `stamp` puts ours before anything a user wrote.
_PLACEHOLDER = f'"{WORK_GENERATION}":""'.encode()


def fill_generation(body: bytes, sequence: int) -> bytes:
    """Splice the order's sequence into a stamped manifest without decoding it."""
    filled = f'"{WORK_GENERATION}":"{sequence}"'.encode()
    return body.replace(_PLACEHOLDER, filled, 1)


def is_managed(manifest: Manifest) -> bool:
    """Whether Hanse holds this object: by its label, or by the fields it applied.

    The second way recognises an object whose label somebody removed.
    """
    metadata = metadata_of(manifest)
    labels = metadata.get("labels") or {}
    return labels.get(MANAGED_LABEL) == "true" or applied_entry(manifest) is not None


def applied_entry(manifest: Manifest) -> Manifest | None:
    """Our own entry in managedFields (KEP-555); None where we never applied."""
    for entry in metadata_of(manifest).get("managedFields") or ():
        if (
            entry.get("manager") == FIELD_MANAGER
            and entry.get("operation") == "Apply"
            and not entry.get("subresource")
        ):
            return dict(entry)
    return None


def is_scaled_by_controller(manager: str, subresource: str | None) -> bool:
    """Whether an entry of managedFields is an autoscaler's: it writes replicas by `scale`.

    Only the controller manager counts: a person's `kubectl scale` is drift like any edit.
    """
    return subresource == "scale" and manager == "kube-controller-manager"


def work_generation_of(manifest: Manifest) -> int:
    """The sequence of the order it was last applied from; 0 where there is no sane one."""
    text = (metadata_of(manifest).get("annotations") or {}).get(WORK_GENERATION) or ""
    return int(text) if isinstance(text, str) and text.isdecimal() else 0
