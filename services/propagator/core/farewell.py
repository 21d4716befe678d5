"""How what a binding asked for is taken back when the binding is on its way out (pure).

A binding stays until nothing of it is left in any member. Which of Kubernetes' ways of deleting
was meant is read from what they leave behind: Foreground is a finalizer of the template, which
waits for its binding; Orphan takes the owner from the binding, and the scheduler writes that as
`preserveResourcesOnDeletion`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from shared.api.binding import WORKS_FINALIZER
from shared.apimachinery.manifest import Manifest, metadata_of

Cascade = Literal["Background", "Foreground"]
_FOREGROUND = "foregroundDeletion"


@dataclass(frozen=True, slots=True)
class Farewell:
    """`preserve`: leave the objects. `cascade`: how members delete them.

    `orphan`: they are left since somebody deleted the template alone.
    """

    preserve: bool = False
    orphan: bool = False
    cascade: Cascade = "Background"


PLAIN_FAREWELL = Farewell()


def is_leaving(binding: Manifest) -> bool:
    return bool(metadata_of(binding).get("deletionTimestamp"))


def farewell_of(binding: Manifest, template: Manifest | None) -> Farewell:
    spec: Mapping[str, Any] = binding.get("spec") or {}
    finalizers = metadata_of(template).get("finalizers") or () if template is not None else ()
    preserve = bool(spec.get("preserveResourcesOnDeletion"))
    return Farewell(
        preserve=preserve,
        orphan=preserve and template is None and not _is_owned(binding),
        cascade="Foreground" if _FOREGROUND in finalizers else "Background",
    )


def _is_owned(binding: Manifest) -> bool:
    uid = ((binding.get("spec") or {}).get("resource") or {}).get("uid")
    owners = metadata_of(binding).get("ownerReferences") or ()
    return any(owner.get("uid") == uid for owner in owners)


def released(binding: Manifest) -> tuple[Manifest, bool]:
    """*binding* without the finalizer that works hold, and whether it may go then."""
    metadata = dict(metadata_of(binding))
    left = [one for one in metadata.pop("finalizers", ()) if one != WORKS_FINALIZER]
    if left:
        metadata["finalizers"] = left
    return {**binding, "metadata": metadata}, not left
