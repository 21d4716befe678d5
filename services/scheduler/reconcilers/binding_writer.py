"""Writing a decision into its template's binding, by compare-and-set."""

import uuid
from typing import Any

from services.scheduler.cache.federation import Federation
from services.scheduler.cache.reading import Bound
from services.scheduler.core.decision import Decision
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.telling.bindings import DECIDED_AT, condition_of, is_built_in, owner_of
from shared.api.binding import SCHEDULED, WORKS_FINALIZER, BindingSpec, binding_key
from shared.api.conditions import find_condition, with_condition
from shared.api.meta import API_VERSION, Condition, section
from shared.apimachinery.manifest import Manifest, ObjectKey, copy
from shared.clock import Clock, format_micro_time, format_time
from shared.errors import AlreadyExists, StaleRevision
from shared.store.port import ObjectStore, Stored


class BindingWriter:
    """Tells the federation of what it writes, so that it does not wake for it."""

    def __init__(self, store: ObjectStore, federation: Federation, clock: Clock) -> None:
        self._store = store
        self._federation = federation
        self._clock = clock

    async def write(
        self,
        key: ObjectKey,
        spec: BindingSpec,
        decision: Decision,
        bound: Bound | None,
        fleet: Fleet,
    ) -> Stored:
        if bound is None:
            return await self._create(key, spec, decision, fleet)
        stored, binding = bound.stored, bound.binding
        changed = binding.spec != spec or bound.is_leaving
        generation = binding.metadata.generation + changed
        manifest = copy(stored.glance())
        if changed:
            manifest["spec"] = section(spec)
            metadata = manifest["metadata"]
            metadata["generation"] = generation
            if bound.is_leaving or binding.spec.resource.uid != spec.resource.uid:
                # Otherwise whoever took the owner away meant it.
                metadata["ownerReferences"] = [section(owner_of(spec))]
            if bound.is_leaving:
                _call_back(metadata)
            annotations = metadata.setdefault("annotations", {})
            annotations[DECIDED_AT] = format_micro_time(self._clock.now())
        condition = condition_of(decision, generation, spec.suspension)
        self._put_condition(manifest, binding.status.conditions, condition)
        with self._federation.writing(stored.key, spec, fleet):
            written = await self._store.update(stored.key, manifest, expected=stored.revision)
            self._federation.wrote(written, fleet)
        return written

    async def _create(
        self, key: ObjectKey, spec: BindingSpec, decision: Decision, fleet: Fleet
    ) -> Stored:
        resource, place = spec.resource, place_of(spec)
        now = self._clock.now()
        identity = f"{place}/{resource.uid}/{format_micro_time(now)}"
        manifest: Manifest = {
            "apiVersion": API_VERSION,
            "kind": "ResourceBinding" if key.namespace else "ClusterResourceBinding",
            "metadata": {
                "name": place.name,
                **({"namespace": place.namespace} if place.namespace else {}),
                "uid": str(uuid.uuid5(uuid.NAMESPACE_URL, identity)),
                "generation": 1,
                "creationTimestamp": format_time(now),
                "annotations": {DECIDED_AT: format_micro_time(now)},
                "finalizers": [WORKS_FINALIZER],
                "ownerReferences": [section(owner_of(spec))],
            },
            "spec": section(spec),
        }
        self._put_condition(manifest, (), condition_of(decision, 1, spec.suspension))
        with self._federation.writing(place, spec, fleet):
            try:
                written = await self._store.create(place, manifest)
            except AlreadyExists as err:
                # By another scheduler, or by a write of ours whose answer was lost.
                raise StaleRevision(f"{place} exists, but has not been seen yet") from err
            self._federation.wrote(written, fleet)
        return written

    def _put_condition(
        self, manifest: Manifest, conditions: tuple[Condition, ...], condition: Condition
    ) -> None:
        placed = with_condition(conditions, condition, now=format_time(self._clock.now()))
        manifest.setdefault("status", {})["conditions"] = section(placed)


def place_of(spec: BindingSpec) -> ObjectKey:
    key = spec.resource.key
    return binding_key(key, spec.resource.kind, built_in=is_built_in(key.group))


def _call_back(metadata: dict[str, Any]) -> None:
    """Make a binding that was on its way out one that stays: its template is there."""
    for mark in ("deletionTimestamp", "deletionGracePeriodSeconds"):
        metadata.pop(mark, None)
    metadata["finalizers"] = [WORKS_FINALIZER]


def differs(bound: Bound, spec: BindingSpec, decision: Decision) -> bool:
    """Whether the binding says anything else than *decision*; when it was said does not count."""
    if bound.binding.spec != spec or bound.is_leaving:
        return True
    found = find_condition(bound.binding.status.conditions, SCHEDULED)
    wanted = condition_of(decision, bound.binding.metadata.generation, spec.suspension)
    return found is None or (
        (found.status, found.reason, found.message, found.observed_generation)
        != (wanted.status, wanted.reason, wanted.message, wanted.observed_generation)
    )
