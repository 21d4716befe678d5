"""A template that takes the place of a deleted one of its name, sooner than members let go of that.

What they hold is made what the new one says, where that can be: its pods need not stop for it. What
cannot be changed has to go first, as it would have gone, unless it was to stay.
"""

import msgspec

from services.scheduler.core.telling.bindings import is_orphan
from shared.api.binding import BindingSpec, ResourceBinding


def succeeding(spec: BindingSpec, before: ResourceBinding | None) -> BindingSpec:
    """Return *spec* with what becomes of what is left of the template that *before* is about.

    It stands for as long as the binding does: a member may be away that holds it yet.
    """
    if before is None:
        return spec
    former = before.spec.former_template
    if before.spec.resource.uid and before.spec.resource.uid != spec.resource.uid:
        kept = before.spec.preserve_resources_on_deletion or is_orphan(before)
        former = "Keep" if kept or former == "Keep" else "Delete"
    return msgspec.structs.replace(spec, former_template=former) if former else spec
