"""A member cluster in the simulation: the real verbs over a store in memory, a light kubelet.

It outlives every process of the hub. Its controllers do no more than say that a Deployment is
ready, a while after it was applied; namespaces are emptied and garbage is collected as everywhere.
Whatever Hanse does in it is told to the `Ledger`.
"""

import asyncio
import random
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Protocol

from shared.apimachinery.manifest import Manifest, ObjectKey, copy, generation_of
from shared.apiserver.admission import AdmitByResource
from shared.apiserver.builtin import builtin_kinds
from shared.apiserver.definitions.custom import DEFINITIONS, DefinitionAdmission, follow_definitions
from shared.apiserver.registry import Registry
from shared.apiserver.serving import Serving
from shared.apiserver.status_errors import ApiFault
from shared.apiserver.upkeep.emptying import Emptier, ensure_namespaces
from shared.apiserver.upkeep.garbage import GarbageCollector
from shared.apiserver.verbs.paging import Snapshots
from shared.clock import Clock
from shared.errors import HanseError
from shared.store.memory import MemoryStore
from shared.store.port import Change, ChangeType, Revision, Stored, StoreLimits
from tests.simulation.history import actor

READY_SECONDS = (0.05, 2.0)
DEPLOYMENTS = ("apps", "deployments")


class Ledger(Protocol):
    """Told of what Hanse does in a member, at the moment it takes effect."""

    def applied(
        self, cluster: str, key: ObjectKey, before: Stored | None, after: Stored, sent: float
    ) -> None: ...

    def stale(self, cluster: str, key: ObjectKey, sent: int, shown: int) -> None: ...

    def deleted(self, cluster: str, key: ObjectKey, before: Stored | None) -> None: ...

    def refused(self, cluster: str, key: ObjectKey, why: str) -> None: ...


class Member:
    """`start` it; `mode` says how its API answers."""

    def __init__(self, name: str, region: str, clock: Clock, chance: random.Random) -> None:
        self.name = name
        self.region = region
        self.mode = "serves"
        """Or `hangs`, `refuses`, `throttles`, `fails`."""

        self.restored = False
        """Whether it ever came back from a backup."""

        self.store = MemoryStore(StoreLimits(history=400))
        self.clock = clock
        self.chance = chance
        self.registry = Registry(builtin_kinds())
        admission = AdmitByResource({DEFINITIONS: DefinitionAdmission(self.registry, clock)})
        self.serving = Serving(
            store=self.store,
            kinds=self.registry,
            admission=admission,
            clock=clock,
            new_uid=self._new_uid,
            new_suffix=lambda: f"{chance.randrange(16**5):05x}",
        )
        self.snapshots = Snapshots(clock)
        self._tasks: list[asyncio.Task[None]] = []
        self._watching: list[Callable[[], None]] = []
        """Called to break what watches now."""

    def _new_uid(self) -> str:
        return f"{self.name}-{self.chance.getrandbits(48):012x}"

    async def start(self) -> None:
        follow_definitions(self.registry, self.store.mirror)
        await ensure_namespaces(self.serving)
        await self._make_node()
        self.store.mirror.on_change(self._on_change)
        token = actor.set(self.name)
        for run in (Emptier(self.serving).run, GarbageCollector(self.serving).run):
            self._tasks.append(asyncio.create_task(run(), name=f"{self.name}-upkeep"))
        actor.reset(token)

    async def _make_node(self) -> None:
        room = {"cpu": "8", "memory": "32Gi", "pods": "110"}
        node: Manifest = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": f"{self.name}-node", "uid": self._new_uid()},
            "status": {
                "capacity": room,
                "allocatable": room,
                "conditions": [{"type": "Ready", "status": "True"}],
            },
        }
        await self.store.create(ObjectKey("", "nodes", "", f"{self.name}-node"), node)

    def restart(self) -> None:
        """Every watch ends; nothing is lost."""
        watching, self._watching = self._watching, []
        for break_off in watching:
            break_off()

    def restore(self, objects: Iterable[Stored], revision: Revision) -> None:
        """Hold *objects* and nothing else, as of *revision*, and break off what watches now."""
        self.restart()
        self.restored = True
        self.store._mirror.replace(objects, revision)

    def on_restart(self, break_off: Callable[[], None]) -> Callable[[], None]:
        self._watching.append(break_off)
        return lambda: self._watching.remove(break_off) if break_off in self._watching else None

    # The controllers.

    def _on_change(self, change: Change) -> None:
        key = change.stored.key
        if (key.group, key.resource) != DEPLOYMENTS or change.type is ChangeType.DELETED:
            return
        generation = generation_of(change.stored.manifest)
        status = change.stored.manifest.get("status") or {}
        if status.get("observedGeneration") != generation:
            delay = self.chance.uniform(*READY_SECONDS)
            asyncio.get_running_loop().call_later(delay, self._make_ready, key, generation)

    def _make_ready(self, key: ObjectKey, generation: int) -> None:
        stored = self.store.mirror.get(key)
        if stored is None or generation_of(stored.manifest) != generation:
            return
        manifest = copy(stored.manifest)
        replicas = manifest["spec"].get("replicas", 1)
        manifest["status"] = {
            "observedGeneration": generation,
            "replicas": replicas,
            "updatedReplicas": replicas,
            "readyReplicas": replicas,
            "availableReplicas": replicas,
        }
        write = self.store.update(key, manifest, expected=stored.revision)
        with suppress(StopIteration):
            write.send(None)


async def attempt(work: object) -> bool:
    """Await *work* of somebody at a member or at the hub; False where it was refused."""
    with suppress(ApiFault, HanseError):
        await work  # type: ignore[misc]
        return True
    return False
