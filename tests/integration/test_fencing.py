"""Propagators beside their members, behind links that are cut.

Scheduler, dispatch and health are real, on a real nats-server; members serve the API over HTTP,
and a light controller says how many replicas each Deployment has.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from services.health.service import Health
from services.health.settings import Settings as HealthSettings
from services.propagator.apply.fence import Fence
from services.propagator.apply.members import CLUSTERS
from services.propagator.core.fence import FenceSettings
from services.propagator.core.marks import FENCED_LABEL
from services.propagator.service import Members, assemble
from services.propagator.settings import Settings as PropagatorSettings
from services.scheduler.service import Scheduler
from shared.apimachinery.manifest import Manifest, ObjectKey, copy, generation_of, labels_of
from shared.bus.jetstream import connect, ensure_topology, open_bus
from shared.bus.settings import NatsSettings
from shared.bus.topology import STREAMS
from shared.clock import SystemClock
from shared.errors import HanseError, StaleRevision
from shared.events import subjects
from shared.memberapi.credentials import MemberCredentials
from shared.memberapi.http import open_member
from shared.memberapi.port import MemberApi
from shared.memberapi.sealing import seal
from shared.runtime.nats_server import NatsServer
from shared.runtime.probes import Readiness
from shared.store.jetstream import open_store
from shared.store.port import UNWATCHED, Change, ChangeType
from tests.chaos.link import Link, open_link
from tests.federation import (
    SEALING,
    TOKEN,
    Federation,
    TestMember,
    deployment,
    deployment_key,
    eventually,
    running,
)
from tests.processes import child
from tests.scheduled_federation import SETTINGS, a_policy, apply, policy_key

WEB = deployment_key("web")
LEDGER = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
_COUNTS = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
ONE = {"spreadConstraints": [{"spreadByField": "cluster", "minGroups": 1, "maxGroups": 1}]}
QUICK = HealthSettings(
    probe_interval=timedelta(milliseconds=50),
    probe_deadline=timedelta(milliseconds=500),
    patience=timedelta(seconds=1),
    observation_ttl=timedelta(seconds=3),
    fold_delay=timedelta(milliseconds=10),
    fold_interval=timedelta(milliseconds=20),
    brake_fleet_min=9,
)
FENCE = FenceSettings(
    renewal=timedelta(seconds=0.2),
    patience=timedelta(seconds=1),
    restart=timedelta(seconds=0.5),
    act=timedelta(seconds=0.5),
)
BESIDE = {
    "HANSE_FENCE_RENEWAL": "0.2",
    "HANSE_FENCE_PATIENCE": "1",
    "HANSE_FENCE_RESTART": "0.5",
    "HANSE_FENCE_ACT": "0.5",
    "HANSE_NATS_DEADLINE": "1",
    "HANSE_PROBES_PORT": "0",
}


@dataclass
class Site:
    """A member, the lines to and from it, and since when what is fenced runs there."""

    member: TestMember
    probed: Link
    nats: Link | None = None

    def cut(self) -> None:
        self.probed.cut()
        assert self.nats is not None, "it runs on its own"
        self.nats.cut()

    def heal(self) -> None:
        self.probed.heal()
        if self.nats is not None:
            self.nats.heal()

    @property
    def replicas(self) -> int:
        return int(
            (self.member.get("deployments", "web", group="apps").get("spec") or {}).get(
                "replicas", 0
            )
        )


class Ledger:
    """Where what is fenced runs, in the order in which that came about."""

    def __init__(self) -> None:
        self.running: set[str] = set()
        self.most = 0
        self.told: list[str] = []

    def note(self, member: str, *, runs: bool) -> None:
        if runs == (member in self.running):
            return
        (self.running.add if runs else self.running.remove)(member)
        self.most = max(self.most, len(self.running))
        self.told.append(f"{'starts' if runs else 'stops'} in {member}")


class Controller:
    """Of one member: a Deployment has as many replicas as it asks for."""

    def __init__(self, member: TestMember, ledger: Ledger) -> None:
        self._member = member
        self._ledger = ledger
        self._tasks: set[asyncio.Task[None]] = set()
        member.store.mirror.on_change(self._on_change)

    def _on_change(self, change: Change) -> None:
        stored = change.stored
        if stored.key != WEB:
            return
        there = change.type is not ChangeType.DELETED
        replicas = stored.manifest["spec"].get("replicas", 1) if there else 0
        if labels_of(stored.manifest).get(FENCED_LABEL) == "true":
            self._ledger.note(self._member.name, runs=replicas > 0)
        status = stored.manifest.get("status") or {}
        if there and status.get("observedGeneration") != generation_of(stored.manifest):
            task = asyncio.ensure_future(self._report(replicas))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _report(self, replicas: int) -> None:
        with suppress(HanseError):
            stored = await self._member.store.get(WEB)
            if stored is None:
                return
            manifest = copy(stored.manifest)
            counts = dict.fromkeys(_COUNTS, replicas)
            manifest["status"] = {"observedGeneration": generation_of(manifest), **counts}
            await self._member.store.update(WEB, manifest, expected=stored.revision)


@dataclass
class Ground:
    federation: Federation
    sites: dict[str, Site]
    ledger: Ledger

    @property
    def scheduled(self) -> str:
        """What the binding says of the decision."""
        stored = self.federation.store.mirror.get(
            ObjectKey("hanse.dev", "resourcebindings", "shop", "web-deployment")
        )
        conditions = (stored.manifest.get("status") or {}).get("conditions", ()) if stored else ()
        return next((one["message"] for one in conditions if one["type"] == "Scheduled"), "")

    def fence(self, name: str) -> Manifest:
        stored = self.federation.store.mirror.get(ObjectKey("hanse.dev", "clusters", "", name))
        assert stored is not None
        found: Manifest = (stored.manifest.get("status") or {}).get("fence") or {}
        return found


@asynccontextmanager
async def a_ground(
    folder: Path, *names: str, pulled: tuple[str, ...], processes: bool = False
) -> AsyncIterator[Ground]:
    """Members *names*, of which those in *pulled* have a propagator beside them.

    With *processes* those are processes of their own.
    """
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(NatsServer(folder / "nats"))
        connection = await stack.enter_async_context(connect(server.settings, "test"))
        await ensure_topology(connection, STREAMS)
        store = await stack.enter_async_context(open_store(connection))
        federation = Federation(names, store, open_bus(connection, "hub"))
        ledger = Ledger()
        await stack.enter_async_context(federation.serving())
        sites, controllers = {}, []
        for name, member in federation.members.items():
            probed = await stack.enter_async_context(open_link(_port(member.url)))
            site = sites[name] = Site(member, probed)
            await _register(federation, name, probed, "Pull" if name in pulled else "Push")
            controllers.append(Controller(member, ledger))
            if name in pulled:
                site.nats = await stack.enter_async_context(open_link(_port(server.settings.url)))
                nats = replace(
                    server.settings,
                    url=f"nats://127.0.0.1:{site.nats.port}",
                    deadline=timedelta(seconds=1),
                )
                beside = _own_process if processes else _in_this_process
                await stack.enter_async_context(beside(member, nats, folder))
        await stack.enter_async_context(federation.dispatching())
        await stack.enter_async_context(federation.applying())
        health = Health(
            store, federation.bus, key=SEALING, clock=SystemClock(), settings=QUICK,
            connect=lambda name, credentials: open_member(credentials, name=name),
        )  # fmt: skip
        settings = replace(SETTINGS, toleration=timedelta(seconds=0))
        scheduler = Scheduler(store, federation.bus, clock=SystemClock(), settings=settings)
        tasks = (*health.tasks.values(), *scheduler.tasks.values())
        await stack.enter_async_context(running(*tasks))
        ground = Ground(federation, sites, ledger)
        for name in pulled:
            await eventually(lambda name=name: ground.fence(name).get("held"), 60)
        yield ground


@asynccontextmanager
async def _in_this_process(
    member: TestMember, nats: NatsSettings, _folder: Path
) -> AsyncIterator[None]:
    def open_own(_none: MemberCredentials, name: str) -> AbstractAsyncContextManager[MemberApi]:
        return open_member(member.credentials(), name=name)

    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(open_member(member.credentials(), name=member.name))
        fence = Fence(member.name, api, SystemClock(), FENCE)
        connection = await stack.enter_async_context(connect(nats, "beside"))
        store = await stack.enter_async_context(open_store(connection, (CLUSTERS,), UNWATCHED))
        tasks = assemble(
            PropagatorSettings(beside=member.name, fence=FENCE),
            store,
            open_bus(connection, "propagator"),
            clock=SystemClock(),
            members=Members(None, open_own, fence),
            readiness=Readiness(),
        )
        await stack.enter_async_context(running(fence.guard, *tasks.values()))
        yield


@asynccontextmanager
async def _own_process(member: TestMember, nats: NatsSettings, folder: Path) -> AsyncIterator[None]:
    name = member.name
    environment = {
        **BESIDE,
        "HANSE_BESIDE": name,
        "HANSE_MEMBER_KUBECONFIG": str(_kubeconfig(folder / name, member.url)),
        "HANSE_NATS_URL": nats.url,
        "HANSE_NATS_CREDENTIALS_FILE": str(nats.credentials_file or ""),
    }
    with child([sys.executable, "-m", "services.propagator"], folder / f"{name}.log", environment):
        yield


def _port(url: str) -> int:
    return int(url.rpartition(":")[2].rstrip("/"))


async def _register(federation: Federation, name: str, probed: Link, mode: str) -> None:
    """Anew, by a line that can be cut."""
    credentials = MemberCredentials(server=f"http://127.0.0.1:{probed.port}", token=TOKEN)
    sealed = seal(SEALING, name, credentials)
    await federation.bus.board("SECRETS").put(subjects.member_key(name), sealed)
    key = ObjectKey("hanse.dev", "clusters", "", name)
    stored = await federation.store.get(key)
    assert stored is not None
    joined = [{"type": "Joined", "status": "True", "reason": "Identified"}]
    manifest = {**stored.manifest, "status": {"conditions": joined}}
    manifest["spec"] = {**manifest["spec"], "mode": mode}
    await federation.write(key, manifest)


def _kubeconfig(path: Path, url: str) -> Path:
    path.write_text(
        yaml.safe_dump(
            {
                "current-context": "own",
                "contexts": [{"name": "own", "context": {"cluster": "own", "user": "own"}}],
                "clusters": [{"name": "own", "cluster": {"server": url}}],
                "users": [{"name": "own", "user": {"token": TOKEN}}],
            }
        )
    )
    return path


async def place(ground: Ground, *clusters: str) -> None:
    fenced = a_policy(LEDGER, clusters=clusters, placement=ONE, failover={"fencing": "Required"})
    await apply(ground.federation, policy_key("ledger"), fenced)


async def begin(ground: Ground, first: str) -> None:
    """Have it run in *first*, and allow every member from then on."""
    await place(ground, first)
    template = deployment("web", 2)
    template["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 0
    await apply(ground.federation, WEB, template)
    await eventually(lambda: ground.sites[first].replicas == 2, 30)
    await place(ground)
    await eventually(lambda: "leaving" not in ground.scheduled)


async def test_a_member_that_is_cut_off_stops_what_is_fenced_before_it_begins_elsewhere(
    tmp_path: Path,
) -> None:
    both = ("eu-1", "us-1")
    async with a_ground(tmp_path, *both, pulled=both, processes=True) as ground:
        await begin(ground, "eu-1")
        term = ground.fence("eu-1")["term"]
        ground.sites["eu-1"].cut()
        await eventually(lambda: ground.sites["us-1"].replicas == 2, 60)
        assert ground.ledger.told == ["starts in eu-1", "stops in eu-1", "starts in us-1"]
        assert ground.fence("eu-1") == {"term": term + 1}
        assert len(await ground.federation.facts("cluster", "fenced")) == 1
        # It returns, and what lies there is not begun again.
        ground.sites["eu-1"].heal()
        await eventually(lambda: ground.fence("eu-1").get("held"), 60)
        eu = ground.sites["eu-1"].member
        await eventually(lambda: not eu.get("deployments", "web", group="apps"), 60)
        assert ground.ledger.most == 1
        assert ground.ledger.running == {"us-1"}


async def test_who_is_away_for_less_goes_on_with_the_same_orders(tmp_path: Path) -> None:
    async with a_ground(tmp_path, "eu-1", "us-1", pulled=("eu-1", "us-1")) as ground:
        await begin(ground, "eu-1")
        fence = ground.fence("eu-1")
        ground.sites["eu-1"].cut()
        await eventually(lambda: ground.sites["eu-1"].replicas == 0, 30)
        ground.sites["eu-1"].heal()
        await eventually(lambda: ground.sites["eu-1"].replicas == 2, 30)
        assert ground.ledger.running == {"eu-1"}
        assert ground.ledger.told[:3] == ["starts in eu-1", "stops in eu-1", "starts in eu-1"]
        assert ground.fence("eu-1") == fence


async def test_a_member_whose_own_propagator_is_heard_is_given_up_by_nobody(
    tmp_path: Path,
) -> None:
    async with a_ground(tmp_path, "eu-1", "us-1", pulled=("eu-1", "us-1")) as ground:
        await begin(ground, "eu-1")
        ground.sites["eu-1"].probed.cut()
        key = ObjectKey("hanse.dev", "clusters", "", "eu-1")

        def suspected() -> bool:
            stored = ground.federation.store.mirror.get(key)
            assert stored is not None
            conditions = stored.manifest["status"]["conditions"]
            return any(one["reason"] == "Suspect" for one in conditions)

        await eventually(suspected, 30)
        stored = ground.federation.store.mirror.get(key)
        assert stored is not None
        assert "taints" not in stored.manifest["status"]
        assert ground.ledger.told == ["starts in eu-1"]


@pytest.mark.parametrize("pulled", [("eu-1", "us-1"), ()], ids=["pulled", "pushed"])
async def test_a_move_that_is_asked_for_stops_here_before_it_begins_there(
    tmp_path: Path, pulled: tuple[str, ...]
) -> None:
    async with a_ground(tmp_path, "eu-1", "us-1", pulled=pulled) as ground:
        await begin(ground, "eu-1")
        await place(ground, "us-1")
        await eventually(lambda: ground.sites["us-1"].replicas == 2, 60)
        assert ground.ledger.told == ["starts in eu-1", "stops in eu-1", "starts in us-1"]


async def test_what_nothing_could_have_stopped_stays_and_says_so(tmp_path: Path) -> None:
    async with a_ground(tmp_path, "eu-1", "us-1", pulled=("us-1",)) as ground:
        await begin(ground, "eu-1")
        ground.sites["eu-1"].probed.cut()
        await eventually(lambda: "no propagator beside it" in ground.scheduled, 30)
        assert ground.ledger.told == ["starts in eu-1"]


async def test_the_hub_takes_over_where_a_member_is_pushed_again(tmp_path: Path) -> None:
    async with a_ground(tmp_path, "eu-1", "us-1", pulled=("us-1",)) as ground:
        await begin(ground, "us-1")
        key = ObjectKey("hanse.dev", "clusters", "", "us-1")
        while True:
            stored = await ground.federation.store.get(key)
            assert stored is not None
            manifest = {**stored.manifest, "spec": {**stored.manifest["spec"], "mode": "Push"}}
            with suppress(StaleRevision):
                await ground.federation.store.update(key, manifest, expected=stored.revision)
                break
        template = await ground.federation.store.get(WEB)
        assert template is not None
        manifest = copy(template.manifest)
        manifest["spec"]["replicas"] = 3
        await apply(ground.federation, WEB, manifest)
        await eventually(lambda: ground.sites["us-1"].replicas == 3, 30)
        assert ground.ledger.told == ["starts in us-1"]


async def test_a_propagator_that_is_begun_anew_without_nats_stops_what_it_finds(
    tmp_path: Path,
) -> None:
    async with a_ground(tmp_path, "eu-1", "us-1", pulled=("us-1",)) as ground:
        await begin(ground, "us-1")
        nobody = NatsSettings(url="nats://127.0.0.1:1")
        async with _own_process(ground.sites["us-1"].member, nobody, tmp_path):
            await eventually(lambda: ground.ledger.told[-1:] == ["stops in us-1"], 30)
