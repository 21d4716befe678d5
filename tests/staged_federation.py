"""Scheduler, propagator and health over a nats-server, with simulated members: all in one process.

Every service runs for real; users are played by writing to the store, as the gateway does.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from services.health.service import assemble as assemble_health
from services.health.settings import Settings as HealthSettings
from services.propagator.apply.worker import WorkerSettings
from services.propagator.service import Members
from services.propagator.service import assemble as assemble_propagator
from services.propagator.settings import Settings as PropagatorSettings
from services.scheduler.service import assemble as assemble_scheduler
from services.scheduler.settings import Settings as SchedulerSettings
from services.simulator.service import Member, open_cluster
from services.simulator.settings import Settings as SimulatorSettings
from shared.api.meta import API_VERSION, GROUP, read
from shared.api.rollout import ResourceRollout, RolloutStatus
from shared.apimachinery.manifest import Manifest, ObjectKey, copy
from shared.bus.jetstream import connect, ensure_topology, open_bus
from shared.bus.port import Bus, CaughtUp
from shared.bus.topology import EVENTS, STREAMS
from shared.clock import SystemClock
from shared.events import subjects
from shared.events.rollout import AnyRolloutFact, decode_rollout_fact
from shared.memberapi.credentials import MemberCredentials, read_kubeconfig
from shared.memberapi.http import open_member
from shared.memberapi.sealing import EnvelopeKey, seal
from shared.runtime.nats_server import NatsServer
from shared.runtime.probes import Readiness
from shared.store.jetstream import open_store
from shared.store.port import EVERYTHING, UNWATCHED, ObjectStore
from tests.federation import deployment, deployment_key, eventually

SEALING = EnvelopeKey(b"k" * 32)
BROKEN = "registry.example/broken:1"
WEB = deployment_key("web")
ROLLOUT = ObjectKey(GROUP, "resourcerollouts", "shop", "web-deployment")
HEALTH = HealthSettings(
    probe_interval=timedelta(milliseconds=100),
    probe_deadline=timedelta(seconds=1),
    fold_delay=timedelta(milliseconds=10),
    fold_interval=timedelta(milliseconds=20),
)
PROPAGATOR = PropagatorSettings(worker=WorkerSettings(report_interval=timedelta(milliseconds=10)))


class StagedFederation:
    """What runs, and ways to look at it."""

    def __init__(self, store: ObjectStore, bus: Bus, nats: Any) -> None:
        self.store = store
        self.bus = bus
        self._nats = nats
        self.members: dict[str, Member] = {}

    # Users.

    async def apply(self, key: ObjectKey, manifest: Manifest) -> None:
        """Create or replace what its author wrote; the generation rises with every change."""
        stored = await self.store.get(key)
        manifest = copy(manifest)
        metadata = manifest["metadata"]
        if stored is None:
            metadata["generation"] = 1
            await self.store.create(key, manifest)
            return
        metadata["generation"] = stored.manifest["metadata"].get("generation", 0) + 1
        if "status" in stored.manifest:
            manifest["status"] = stored.manifest["status"]
        try:
            await self.store.update(key, manifest, expected=stored.revision)
        except Exception as err:  # Somebody wrote its status: once more.
            if type(err).__name__ != "StaleRevision":
                raise
            await self.apply(key, manifest)

    async def delete(self, key: ObjectKey) -> None:
        stored = await self.store.get(key)
        assert stored is not None
        await self.store.delete(key, stored.manifest, expected=stored.revision)

    async def deploy(self, image: str, *, replicas: int = 6) -> None:
        manifest = deployment("web", replicas)
        manifest["spec"]["template"]["spec"]["containers"][0]["image"] = image
        await self.apply(WEB, manifest)

    async def place(self, rollout: Mapping[str, Any] | None, **placement: Any) -> None:
        """Write the policy; replicas are divided evenly unless *placement* says otherwise."""
        divided = {"replicaSchedulingType": "Divided"}
        spec: dict[str, Any] = {
            "resourceSelectors": [{"apiVersion": "apps/v1", "kind": "Deployment"}],
            "placement": placement or {"replicaScheduling": divided},
        }
        if rollout is not None:
            spec["rollout"] = rollout
        await self.apply(
            ObjectKey(GROUP, "propagationpolicies", "shop", "p"),
            {
                "apiVersion": API_VERSION,
                "kind": "PropagationPolicy",
                "metadata": {"name": "p", "namespace": "shop", "uid": "uid-p"},
                "spec": spec,
            },
        )

    async def say(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Change the spec of the rollout, as `hanse rollout` does."""
        async with asyncio.timeout(20):
            while True:
                stored = await self.store.get(ROLLOUT)
                assert stored is not None
                manifest = copy(stored.manifest)
                change(manifest["spec"])
                manifest["metadata"]["generation"] += 1
                try:
                    await self.store.update(ROLLOUT, manifest, expected=stored.revision)
                except Exception as err:
                    if type(err).__name__ != "StaleRevision":
                        raise
                else:
                    return

    async def approve(self, stage: str) -> None:
        revision = self.status().target_revision
        await self.say(
            lambda spec: spec.setdefault("approvals", []).append(
                {"revision": revision, "stage": stage}
            )
        )

    # Looking.

    def status(self) -> RolloutStatus:
        stored = self.store.mirror.get(ROLLOUT)
        return read(stored.manifest, ResourceRollout).status if stored else RolloutStatus()

    async def reaches(self, phase: str, *, target: int = 0, seconds: float = 30.0) -> RolloutStatus:
        """Wait until the rollout is in *phase* (with revision *target*)."""

        def reached() -> RolloutStatus | None:
            status = self.status()
            fits = status.phase == phase and target in (0, status.target_revision)
            return status if fits and status.target_revision else None

        try:
            found = await eventually(reached, seconds)
        except TimeoutError as err:
            raise AssertionError(f"no {phase}: {self.status()}") from err
        assert isinstance(found, RolloutStatus)
        return found

    def live(self, cluster: str) -> Manifest:
        """The Deployment in a member; empty where it is not."""
        stored = self.members[cluster].cluster.store.mirror.get(WEB)
        return stored.manifest if stored is not None else {}

    def image(self, cluster: str) -> str:
        live = self.live(cluster)
        if not live:
            return ""
        return str(live["spec"]["template"]["spec"]["containers"][0]["image"])

    def images(self) -> dict[str, str]:
        return {name: self.image(name).rpartition("/")[2] for name in self.members}

    def replicas(self) -> dict[str, int]:
        return {
            name: self.live(name)["spec"]["replicas"] for name in self.members if self.live(name)
        }

    def revisions(self) -> list[int]:
        from_store = self.store.mirror.items()
        return sorted(
            one.manifest["spec"]["revision"]
            for one in from_store
            if one.key.resource == "resourcerevisions"
        )

    async def facts(self) -> list[AnyRolloutFact]:
        found = []
        async with self.bus.follow(EVENTS, [f"{subjects.EVENTS}.rollout.>"]) as messages:
            async for message in messages:
                if isinstance(message, CaughtUp):
                    return found
                found.append(decode_rollout_fact(message.body))
        return found

    # Running.

    @asynccontextmanager
    async def propagating(self) -> AsyncIterator[None]:
        """A propagator with a mirror of its own, as a process of its own would have."""
        async with open_store(self._nats, (EVERYTHING,), UNWATCHED) as store:
            tasks = assemble_propagator(
                PROPAGATOR,
                store,
                self.bus,
                clock=SystemClock(),
                members=Members(SEALING, lambda found, name: open_member(found, name=name)),
                readiness=Readiness(),
            )
            async with _running(tasks):
                yield

    @asynccontextmanager
    async def join(self, name: str, folder: Path) -> AsyncIterator[None]:
        settings = SimulatorSettings(
            name=name,
            folder=folder / name,
            nodes=1,
            pod_ready=timedelta(milliseconds=20),
            failing_images=("broken",),
        )
        async with open_cluster(settings) as member, _running(member.tasks):
            self.members[name] = member
            await self.register(name, read_kubeconfig(member.kubeconfig))
            yield

    async def register(self, name: str, credentials: MemberCredentials) -> None:
        sealed = seal(SEALING, name, credentials)
        await self.bus.board("SECRETS").put(subjects.member_key(name), sealed)
        joined = {"type": "Joined", "status": "True", "reason": "Identified", "message": ""}
        await self.store.create(
            ObjectKey(GROUP, "clusters", "", name),
            {
                "apiVersion": API_VERSION,
                "kind": "Cluster",
                "metadata": {"name": name, "uid": f"uid-{name}", "labels": {"name": name}},
                "spec": {"region": name.partition("-")[0]},
                "status": {"conditions": [joined]},
            },
        )


@asynccontextmanager
async def staged_federation(
    folder: Path, *names: str, toleration: timedelta = timedelta(seconds=30)
) -> AsyncIterator[StagedFederation]:
    """Everything but the propagator, and members that are ready."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(NatsServer(folder / "nats"))
        nats = await stack.enter_async_context(connect(server.settings, "test"))
        await ensure_topology(nats, STREAMS)
        store = await stack.enter_async_context(open_store(nats))
        bus = open_bus(nats, "propagator")
        federation = StagedFederation(store, bus, nats)
        scheduler = SchedulerSettings(
            toleration=toleration, policy_delay=timedelta(milliseconds=20)
        )
        health = assemble_health(
            HEALTH,
            store,
            bus,
            clock=SystemClock(),
            key=SEALING,
            connect=lambda name, credentials: open_member(credentials, name=name),
            readiness=Readiness(),
        )
        for name in names:
            await stack.enter_async_context(federation.join(name, folder))
        await stack.enter_async_context(
            _running(
                assemble_scheduler(
                    scheduler, store, bus, clock=SystemClock(), readiness=Readiness()
                )
            )
        )
        await stack.enter_async_context(_running(health))

        def ready() -> bool:
            return all(_is_ready(store, name) for name in names)

        await eventually(ready)
        yield federation


def _is_ready(store: ObjectStore, name: str) -> bool:
    stored = store.mirror.get(ObjectKey(GROUP, "clusters", "", name))
    status = (stored.manifest.get("status") or {}) if stored else {}
    conditions = status.get("conditions")
    return "capacity" in status and any(
        one["type"] == "Ready" and one["status"] == "True" for one in conditions or ()
    )


@asynccontextmanager
async def _running(tasks: Mapping[str, Callable[[], Any]]) -> AsyncIterator[None]:
    """Run *tasks*; the first that fails fails the test."""
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(task(), name=name) for name, task in tasks.items()]
        try:
            yield
        finally:
            for task in running:
                task.cancel()
