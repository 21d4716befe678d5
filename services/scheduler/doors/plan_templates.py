"""The templates that a plan looks at: those that are stored, and those that are supposed."""

import asyncio
from collections.abc import Mapping

from services.scheduler.cache.federation import Federation
from services.scheduler.core.policies import is_template, may_be_template
from services.scheduler.doors.supposing import Supposition
from shared.apimachinery.manifest import Manifest, ObjectKey, generation_of, uid_of
from shared.apiserver.status_errors import bad_request
from shared.store.port import Mirror, Scope

_AT_ONCE = 200
"""Objects that are looked through before others have their turn."""


class LookedAt:
    """`keys` are in order. Of tens of thousands none is kept as a manifest."""

    def __init__(self, federation: Federation, supposed: Supposition) -> None:
        """Begin with those that are supposed; raises `ApiFault` for what is not propagated."""
        self._federation = federation
        self._absent = supposed.absent
        self._supposed = _as_stored(federation, supposed.templates)
        self.keys = sorted(self._supposed.keys() - self._absent)

    async def add_stored(self, mirror: Mirror, namespace: str) -> None:
        """Look at all that are propagated, too; *namespace* "": of every namespace."""
        found = set(self.keys)
        for number, stored in enumerate(mirror.items(Scope(namespace=namespace or None))):
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
            if may_be_template(stored.key) and is_template(stored.key, stored.glance()):
                found.add(stored.key)
        self.keys = sorted(found - self._absent)

    def template(self, key: ObjectKey) -> Manifest | None:
        """Return it, read for that; None where it has been deleted since."""
        return self._supposed.get(key) or self._federation.template(key)


def _as_stored(
    federation: Federation, templates: Mapping[ObjectKey, Manifest]
) -> dict[ObjectKey, Manifest]:
    found = {}
    for key, template in templates.items():
        known = federation.template(key)
        metadata = {
            **template["metadata"],
            "uid": uid_of(known) if known is not None else "",
            "generation": generation_of(known) + 1 if known is not None else 1,
        }
        found[key] = {**template, "metadata": metadata}
        if not is_template(key, found[key]):
            raise bad_request(f"{key.resource} {key.name} is not propagated")
    return found
