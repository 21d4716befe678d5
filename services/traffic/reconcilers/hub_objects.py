"""What traffic keeps at the hub itself: imports, profiles of members, definitions.

Each bears a label that says so; an object of the same name that somebody else made is left alone.
"""

import uuid
from collections.abc import Mapping
from typing import Any

import structlog

from shared.api.own_kinds import KEPT_BY
from shared.apimachinery.manifest import Manifest, ObjectKey, labels_of, metadata_of
from shared.clock import Clock, format_micro_time, format_time
from shared.errors import AlreadyExists, StaleRevision
from shared.store.port import ObjectStore, Stored

log = structlog.get_logger("hanse.traffic")

TRAFFIC = "traffic"


class HubObjects:
    """Writes by compare-and-set, and only what differs; raises as the store does."""

    def __init__(self, store: ObjectStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def get(self, key: ObjectKey) -> Stored | None:
        """As the mirror has it, whoever keeps it."""
        return self._store.mirror.get(key)

    async def find(self, key: ObjectKey) -> Stored | None:
        """As the store has it: of kinds that are not mirrored."""
        return await self._store.get(key)

    async def put(
        self, key: ObjectKey, manifest: Manifest, status: Mapping[str, Any], stored: Stored | None
    ) -> None:
        """Make the object what *manifest* and *status* say; *stored* is what it is now."""
        metadata = metadata_of(manifest)
        labels = {**(metadata.get("labels") or {}), KEPT_BY: TRAFFIC}
        if stored is None:
            now = self._clock.now()
            identity = f"hanse/traffic/{key}/{format_micro_time(now)}"
            begun = {
                **metadata,
                "labels": labels,
                "uid": str(uuid.uuid5(uuid.NAMESPACE_URL, identity)),
                "creationTimestamp": format_time(now),
                "generation": 1,
            }
            whole = {**manifest, "metadata": begun, "status": dict(status)}
            try:
                await self._store.create(key, whole)
            except AlreadyExists as err:
                raise StaleRevision(f"{key} exists, but has not been seen yet") from err
            return
        before = stored.manifest
        if not is_kept(before):
            log.info("hub.not-ours", key=str(key))
            return
        old = metadata_of(before)
        kept = {**old, "labels": labels, "annotations": metadata.get("annotations") or {}}
        if not kept["annotations"]:
            kept.pop("annotations")
        after = {**manifest, "metadata": kept, "status": dict(status)}
        if after == before:
            return
        if after.get("spec") != before.get("spec"):
            kept["generation"] = int(old.get("generation") or 0) + 1
        await self._store.update(key, after, expected=stored.revision)

    async def set_status(self, stored: Stored, status: Mapping[str, Any]) -> None:
        """Write the status of an object that somebody else keeps."""
        if (stored.manifest.get("status") or {}) != status:
            after = {**stored.manifest, "status": dict(status)}
            await self._store.update(stored.key, after, expected=stored.revision)

    async def remove(self, key: ObjectKey) -> None:
        """Take away what is ours; absent is fine."""
        stored = self._store.mirror.get(key)
        if stored is not None and is_kept(stored.manifest):
            await self.take(stored)

    async def take(self, stored: Stored) -> None:
        """Take away an object that was found to be ours."""
        await self._store.delete(stored.key, stored.manifest, expected=stored.revision)


def is_kept(manifest: Manifest) -> bool:
    return labels_of(manifest).get(KEPT_BY) == TRAFFIC
