"""Writing rollouts and revisions: created once, changed by compare-and-set, removed when idle."""

import uuid
from collections.abc import Iterable

from services.propagator.dispatch.rollouts.records import Kept, RolloutRecords
from shared.api.binding import ObjectReference
from shared.api.meta import API_VERSION, GROUP, OwnerReference, section
from shared.api.revision import (
    BINDING_LABEL,
    REVISIONS,
    RevisionSpec,
    binding_label,
    revision_name,
)
from shared.api.rollout import ROLLOUTS, RolloutStatus
from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.clock import Clock, format_micro_time, format_time
from shared.errors import AlreadyExists, StaleRevision
from shared.store.port import ObjectStore, Stored


class RolloutWriter:
    """What it writes the records know at once."""

    def __init__(self, store: ObjectStore, records: RolloutRecords, clock: Clock) -> None:
        self._store = store
        self._records = records
        self._clock = clock

    async def record(self, binding: ObjectKey, revision: RevisionSpec) -> Stored:
        """Create the record of *revision*; raises `StaleRevision` where its number is taken."""
        namespaced = bool(binding.namespace)
        name = revision_name(binding.name, revision.revision)
        key = ObjectKey(GROUP, REVISIONS[not namespaced], binding.namespace, name)
        kind = "ResourceRevision" if namespaced else "ClusterResourceRevision"
        manifest = self._manifest(kind, key, binding, revision.resource)
        return await self._create(key, {**manifest, "spec": section(revision)})

    async def write(
        self, binding: ObjectKey, known: Stored | None, status: RolloutStatus
    ) -> Stored:
        """Put *status* into the rollout of *binding*, which is at *known* or to be made."""
        if known is not None:
            manifest = {**known.manifest, "status": section(status)}
            stored = await self._store.update(known.key, manifest, expected=known.revision)
            self._records.wrote(stored)
            return stored
        assert status.resource is not None, "a status says what it is about"
        namespaced = bool(binding.namespace)
        key = ObjectKey(GROUP, ROLLOUTS[not namespaced], binding.namespace, binding.name)
        kind = "ResourceRollout" if namespaced else "ClusterResourceRollout"
        manifest = self._manifest(kind, key, binding, status.resource)
        return await self._create(key, {**manifest, "spec": {}, "status": section(status)})

    async def remove(self, objects: Iterable[Stored]) -> None:
        for stored in objects:
            await self._store.delete(stored.key, stored.manifest, expected=stored.revision)
            self._records.removed(stored)

    async def forget(self, template: ObjectKey) -> None:
        """Remove the rollout of *template* and all its revisions: no policy asks for them."""
        kept: list[Kept] = list(self._records.revisions(template).values())
        found = self._records.rollout(template)
        await self.remove([one.stored for one in kept] + ([found[0]] if found else []))

    async def _create(self, key: ObjectKey, manifest: Manifest) -> Stored:
        try:
            stored = await self._store.create(key, manifest)
        except AlreadyExists as err:
            # By another dispatcher, or by a write of ours whose answer was lost.
            raise StaleRevision(f"{key} exists, but has not been seen yet") from err
        self._records.wrote(stored)
        return stored

    def _manifest(
        self, kind: str, key: ObjectKey, binding: ObjectKey, resource: ObjectReference
    ) -> Manifest:
        now = self._clock.now()
        owner = OwnerReference(
            api_version=resource.api_version,
            kind=resource.kind,
            name=resource.name,
            uid=resource.uid,
            controller=True,
        )
        identity = f"{key}/{resource.uid}/{format_micro_time(now)}"
        return {
            "apiVersion": API_VERSION,
            "kind": kind,
            "metadata": {
                "name": key.name,
                **({"namespace": key.namespace} if key.namespace else {}),
                "uid": str(uuid.uuid5(uuid.NAMESPACE_URL, identity)),
                "generation": 1,
                "creationTimestamp": format_time(now),
                "labels": {BINDING_LABEL: binding_label(binding.name)},
                "ownerReferences": [section(owner)],
            },
        }
