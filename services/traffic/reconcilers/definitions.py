"""The standard's kinds at the hub, served like any that a user defines."""

from datetime import timedelta

from services.traffic.core.definitions import AT_HUB
from services.traffic.reconcilers.hub_objects import HubObjects
from services.traffic.reconcilers.members import NAMESPACE
from shared.apimachinery.manifest import Manifest, ObjectKey, copy, name_of
from shared.apiserver.definitions import with_defaults
from shared.apiserver.definitions.status import Taken, status_of
from shared.clock import Clock, format_time
from shared.controller.result import Again, Result

_LOOK = timedelta(minutes=10)

KEYS = tuple(
    ObjectKey("apiextensions.k8s.io", "customresourcedefinitions", "", name_of(one))
    for one in AT_HUB
)
NAMESPACE_KEY = ObjectKey("", "namespaces", "", NAMESPACE)


class DefinitionReconciler:
    """Keyed by the definition, or the namespace of profiles.

    Definitions that somebody put there, as newer ones of the standard, stay as they are.
    """

    def __init__(self, hub: HubObjects, clock: Clock) -> None:
        self._hub = hub
        self._clock = clock

    async def reconcile(self, key: ObjectKey) -> Result:
        stored = await self._hub.find(key)
        if key == NAMESPACE_KEY:
            await self._hub.put(key, _namespace(), {"phase": "Active"}, stored)
            return Again(_LOOK)
        definition = copy(next(one for one in AT_HUB if name_of(one) == key.name))
        definition["spec"] = with_defaults(definition["spec"])
        definition["status"] = (stored.manifest.get("status") or {}) if stored is not None else {}
        status = status_of(definition, Taken(), now=format_time(self._clock.now()))
        await self._hub.put(key, definition, status, stored)
        return Again(_LOOK)


def _namespace() -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": NAMESPACE, "labels": {"kubernetes.io/metadata.name": NAMESPACE}},
        "spec": {"finalizers": ["kubernetes"]},
    }
