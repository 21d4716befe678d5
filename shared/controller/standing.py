"""Writing the status of an object, where a service has anything new to say of it."""

from typing import Any

from shared.api.meta import section
from shared.apimachinery.manifest import copy
from shared.store.port import ObjectStore, Stored


async def write_status(store: ObjectStore, stored: Stored, status: Any) -> None:
    """Write *status*, a struct, unless it differs in nothing but when conditions changed."""
    after = section(status)
    if _timeless(stored.manifest.get("status")) == _timeless(after):
        return
    manifest = copy(stored.manifest)
    manifest["status"] = after
    await store.update(stored.key, manifest, expected=stored.revision)


def _timeless(status: object) -> object:
    if not isinstance(status, dict):
        return status
    conditions = [
        {name: value for name, value in one.items() if name != "lastTransitionTime"}
        for one in status.get("conditions") or ()
        if isinstance(one, dict)
    ]
    return {**status, "conditions": conditions}
