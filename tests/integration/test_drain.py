"""`hanse drain` and `hanse explain service/...` with everything that decides, against a gateway.

Health is played: whatever is ordered is well at once.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import structlog

from hanse.__main__ import main
from services.traffic.core.catalogue import Endpoint, Exporter, ImportedService, ServiceName
from services.traffic.reconcilers.catalogue import LiveCatalogue
from services.traffic.reconcilers.feed import FeedDoor
from services.traffic.reconcilers.guarding import Guard
from services.traffic.reconcilers.routes import RouteStandings
from services.traffic.reconcilers.sharing import Sharing
from services.traffic.settings import Settings
from shared.api.meta import API_VERSION, GROUP
from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.clock import SystemClock, format_micro_time
from shared.errors import StaleRevision
from shared.store.port import Change, Scope
from tests.federation import Federation, deployment, deployment_key, eventually, running
from tests.gateway import serving_gateway
from tests.scheduled_federation import a_policy, apply, policy_key, scheduled_federation

BINDINGS = Scope(GROUP, "resourcebindings")
BINDING = ObjectKey(GROUP, "resourcebindings", "shop", "web-deployment")
TRAFFIC = ObjectKey(GROUP, "trafficpolicies", "shop", "web")
DIVIDED = {"replicaScheduling": {"replicaSchedulingType": "Divided"}}
SERVICE: Manifest = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
}
Run = Callable[..., Any]


async def play_health(federation: Federation) -> None:
    woken: asyncio.Queue[ObjectKey] = asyncio.Queue()

    def hear(change: Change) -> None:
        if BINDINGS.covers(change.stored.key):
            woken.put_nowait(change.stored.key)

    stop = federation.store.mirror.on_change(hear)
    try:
        while True:
            stored = await federation.store.get(await woken.get())
            if stored is None:
                continue
            targets = stored.manifest["spec"].get("clusters") or ()
            status = stored.manifest.get("status") or {}
            known = {one["cluster"] for one in status.get("aggregatedStatus") or ()}
            if known == {one["name"] for one in targets}:
                continue
            reports = [_report(one) for one in targets]
            manifest = {**stored.manifest, "status": {**status, "aggregatedStatus": reports}}
            try:
                await federation.store.update(stored.key, manifest, expected=stored.revision)
            except StaleRevision:
                woken.put_nowait(stored.key)
    finally:
        stop()


def _report(target: Manifest) -> Manifest:
    count = target.get("replicas", 0)
    return {
        "cluster": target["name"],
        "applied": True,
        "health": "Healthy",
        "observedTime": format_micro_time(SystemClock().now()),
        "status": {"availableReplicas": count, "readyReplicas": count, "replicas": count},
    }


@pytest.fixture
async def federation(tmp_path: Path) -> AsyncIterator[Federation]:
    """A Deployment over two members that both export its Service."""
    async with (
        scheduled_federation(tmp_path, "eu-1", "us-1") as found,
        running(lambda: play_health(found), *_traffic(found)),
    ):
        selected = [
            {"apiVersion": "apps/v1", "kind": "Deployment"},
            {"apiVersion": "v1", "kind": "Service"},
        ]
        await apply(found, policy_key("web"), a_policy(*selected, placement=DIVIDED))
        await apply(found, deployment_key("web"), deployment("web", 4))
        await apply(found, ObjectKey("", "services", "shop", "web"), SERVICE)
        traffic = {"apiVersion": API_VERSION, "kind": "TrafficPolicy", "metadata": {}}
        await apply(found, TRAFFIC, {**traffic, "spec": {"service": "web"}})
        await eventually(lambda: _where(found) == {"eu-1": 2, "us-1": 2})
        await eventually(lambda: _shares(found) == {"eu-1": 5_000, "us-1": 5_000})
        yield found


def _traffic(federation: Federation) -> list[Callable[[], Any]]:
    catalogue, clock = LiveCatalogue(), SystemClock()
    exporters = {
        name: Exporter(cluster=name, endpoints=(Endpoint(cluster=name, addresses=("10.0.0.1",)),))
        for name in ("eu-1", "us-1")
    }
    catalogue.put(ImportedService(service=ServiceName("shop", "web"), exporters=exporters))
    catalogue.synced.set()
    store, bus = federation.store, federation.bus
    sharing = Sharing(
        store,
        bus,
        catalogue,
        standings=RouteStandings(),
        clock=clock,
        settings=Settings(),
        guard=Guard(fail_fast=True),
    )
    return [*sharing.tasks.values(), FeedDoor(bus, store.mirror, catalogue, Guard()).run]


def _where(federation: Federation) -> dict[str, int]:
    stored = federation.store.mirror.get(BINDING)
    spec = stored.manifest["spec"] if stored is not None else {}
    leaving = {one["cluster"]: one.get("replicas", 0) for one in spec.get("evictions") or ()}
    return {one["name"]: one.get("replicas", 0) for one in spec.get("clusters") or ()} | leaving


def _shares(federation: Federation) -> dict[str, int]:
    stored = federation.store.mirror.get(TRAFFIC)
    splits = (stored.manifest.get("status") or {}).get("splits") if stored is not None else ()
    clusters = splits[0]["clusters"] if splits else ()
    return {one["name"]: one["share"] for one in clusters if one.get("share")}


@pytest.fixture
async def run(
    federation: Federation, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> AsyncIterator[Run]:
    # What the command says is read whole, and services log in this process too.
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    async with serving_gateway(federation.store, federation.bus, tmp_path) as kubeconfig:

        async def command(*words: str) -> tuple[int, str]:
            hub = ["--kubeconfig", str(kubeconfig)]
            capsys.readouterr()
            status = await asyncio.to_thread(main, [*words, *hub])
            said = capsys.readouterr()
            return status, said.out + said.err

        yield command


async def test_a_member_is_drained_and_filled_again(federation: Federation, run: Run) -> None:
    status, said = await run("drain", "eu-1", "--grace", "0", "--json")
    assert (status, json.loads(said)["outcome"]) == (0, "Drained")
    assert _where(federation) == {"us-1": 4}
    assert _shares(federation) == {"us-1": 10_000}

    # The other one cannot be, for there would be nobody.
    status, said = await run("drain", "us-1")
    assert status == 3
    assert "Deployment shop/web would have no place" in said
    assert "nobody else answers for traffic policy shop/web" in said
    assert _shares(federation) == {"us-1": 10_000}

    assert (await run("drain", "eu-1", "--undo"))[0] == 0
    await eventually(lambda: _shares(federation) == {"eu-1": 5_000, "us-1": 5_000})
    status, said = await run("uncordon", "us-1")
    assert (status, said) == (0, "us-1 is not being drained\n")
    assert (await run("drain", "xx-1"))[0] == 1


async def test_a_service_is_explained_by_where_it_is_and_where_its_traffic_goes(
    federation: Federation, run: Run
) -> None:
    status, said = await run("explain", "service/web", "-n", "shop")
    assert status == 0
    lines = said.splitlines()
    assert lines[0].startswith("Service shop/web, by policy shop/web")
    at = lines.index("traffic, by policy web:")
    assert lines[at + 1 : at + 4] == [
        "  from anywhere:",
        "    eu-1: 50% (1 of 2 ready)",
        "    us-1: 50% (1 of 2 ready)",
    ]
    status, said = await run("explain", "service/web", "-n", "shop", "--json")
    (traffic,) = json.loads(said)["traffic"]
    assert traffic["policy"] == "web"

    # One that is not propagated is explained by its traffic; one that is neither is not.
    other = ObjectKey(GROUP, "trafficpolicies", "shop", "other")
    policy = {"apiVersion": API_VERSION, "kind": "TrafficPolicy", "metadata": {}}
    await apply(federation, other, {**policy, "spec": {"service": "other"}})
    status, said = await run("explain", "service/other", "-n", "shop")
    assert status == 1
    assert "it is not propagated from here" in said
    assert "traffic, by policy other:" in said
    status, said = await run("explain", "service/none", "-n", "shop")
    assert (status, 'services "none" not found' in said) == (1, True)
