"""What a plan costs, by the command; and what a policy would move, told to a dry run of it."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hanse.__main__ import main
from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.bus.memory import MemoryBus
from shared.bus.port import RequestError
from shared.events.requests import API_PLAN
from shared.store.memory import MemoryStore
from shared.store.port import Stored
from tests.federation import Federation, deployment, deployment_key, eventually
from tests.gateway import serving_gateway
from tests.integration.test_gateway import running_gateway
from tests.scheduled_federation import apply, scheduled_federation

WEB = deployment_key("web")
POLICY = ObjectKey("hanse.dev", "propagationpolicies", "shop", "p")
BINDING = ObjectKey("hanse.dev", "resourcebindings", "shop", "web-deployment")
POLICIES = "/apis/hanse.dev/v1alpha1/namespaces/shop/propagationpolicies"
DRY = {"dryRun": "All"}


def a_policy(**placement: Any) -> Manifest:
    divided = {"replicaScheduling": {"replicaSchedulingType": "Divided"}}
    return {
        "apiVersion": "hanse.dev/v1alpha1",
        "kind": "PropagationPolicy",
        "metadata": {"name": "p", "namespace": "shop"},
        "spec": {
            "resourceSelectors": [{"apiVersion": "apps/v1", "kind": "Deployment"}],
            "placement": {**divided, **placement},
        },
    }


def web() -> Manifest:
    manifest = deployment("web", 8)
    container = manifest["spec"]["template"]["spec"]["containers"][0]
    container["resources"] = {"requests": {"cpu": "500m", "memory": "1Gi"}}
    return manifest


@pytest.fixture
async def federation(tmp_path: Path) -> AsyncIterator[Federation]:
    """Eight replicas of half a core over two members, of which one has a price."""
    async with scheduled_federation(tmp_path, "eu-1", "us-1") as found:
        key = ObjectKey("hanse.dev", "clusters", "", "eu-1")
        stored = await found.store.get(key)
        assert stored is not None
        priced = {"price": {"cpu": "0.04", "memory": "5m"}}
        await found.write(key, {**stored.manifest, "spec": priced})
        await apply(found, POLICY, a_policy())
        await apply(found, WEB, web())

        async def placed() -> bool:
            stored = await found.store.get(BINDING)
            return stored is not None and len(stored.manifest["spec"].get("clusters", ())) == 2

        await eventually(placed)
        yield found


async def test_people_ask_what_it_would_cost(
    federation: Federation, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with serving_gateway(federation.store, federation.bus, tmp_path) as kubeconfig:

        async def run(*arguments: str) -> tuple[int, str]:
            # What the services of this process have said until now is not of the command.
            capsys.readouterr()
            options = ["plan", *arguments, "--kubeconfig", str(kubeconfig)]
            return await asyncio.to_thread(main, options), capsys.readouterr().out

        status, out = await run("--price", "eu-1=cpu:0.05", "--price", "us-1=cpu:0.02,memory:1m")
        # Four replicas of half a core and a GiB: 4 * (0.025 + 0.005) and 4 * (0.01 + 0.001).
        assert out.startswith("nothing moves\n")
        assert "it costs 0.1640 an hour, 0.1000 before (+0.0640)\n" in out
        assert status == 0
        status, out = await run("--lose", "us-1", "--json")
        plan = json.loads(out)
        assert (status, plan["costBefore"], plan["costAfter"], plan["unpriced"]) == (0, 0.1, 0.2, 0)
        assert plan["changes"][0]["costAfter"] == 0.2
        status, out = await run("--lose", "eu-1")
        assert "it costs 0.0000 an hour, 0.1000 before (-0.1000); 8 replicas have no known" in out
        assert (await run("--lose", "us-1", "--cost-max", "0.2"))[0] == 0
        assert (await run("--lose", "us-1", "--cost-max", "0.19"))[0] == 4
        assert [(await run("--cost-max", most))[0] for most in ("0.1", "0.09")] == [0, 4]
        status, out = await run("--without", "propagationpolicy/p", "-n", "shop")
        assert status == 3
        assert "Deployment shop/web: no policy selects it any more: it is removed" in out
        assert "it costs 0.0000 an hour, 0.1000 before" in out
        with pytest.raises(SystemExit):
            await run("--price", "eu-1=disk:7")


@pytest.mark.parametrize(
    ("prices", "code"), [({"none": {"cpu": "1"}}, 404), ({"eu-1": {"cpu": "dear"}}, 400)]
)
async def test_a_price_that_makes_no_sense(
    federation: Federation, prices: dict[str, Any], code: int
) -> None:
    body = json.dumps({"prices": prices}).encode()
    with pytest.raises(RequestError) as refused:
        await federation.bus.request(API_PLAN, body, deadline=timedelta(seconds=10))
    assert refused.value.code == code


async def test_a_dry_run_of_a_policy_tells_what_would_move(
    federation: Federation, tmp_path: Path
) -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    await federation.write(ObjectKey("", "namespaces", "", "shop"), namespace)
    async with running_gateway(tmp_path / "gateway", federation.store, federation.bus) as (_, user):
        there = await federation.store.get(POLICY)
        narrow = a_policy(clusterAffinity={"clusterNames": ["eu-1"]})
        answer = await user.apply(f"{POLICIES}/p", narrow, force="true", **DRY)
        assert answer.code == 200
        told = "\n".join(answer.warnings)
        assert "plan: 1 of 1 objects change; replicas that move: 4, that stop" in told
        assert "plan: Deployment shop/web: eu-1 4 -> 8, us-1 4 -> 0" in told
        assert "plan: it costs 0.2000 an hour, 0.1000 before" in told
        assert revision(await federation.store.get(POLICY)) == revision(there)
        gone = await user.delete(f"{POLICIES}/p", **DRY)
        assert "plan: Deployment shop/web: no policy selects it any more" in "\n".join(
            gone.warnings
        )
        # Of what is written nothing is told, and of a template where nothing comes of it.
        other = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
        path = "/api/v1/namespaces/shop/configmaps"
        assert (await user.post(path, other, **DRY)).warnings == ()
        assert (await user.apply(f"{POLICIES}/p", narrow, force="true")).warnings == ()


async def test_a_dry_run_of_a_template_tells_where_it_would_go(
    federation: Federation, tmp_path: Path
) -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    await federation.write(ObjectKey("", "namespaces", "", "shop"), namespace)
    async with running_gateway(tmp_path / "gateway", federation.store, federation.bus) as (_, user):
        path = "/apis/apps/v1/namespaces/shop/deployments"
        answer = await user.post(path, deployment("api", 2), **DRY)
        assert answer.code == 201
        assert "plan: Deployment shop/api: eu-1 0 -> 1, us-1 0 -> 1" in "".join(answer.warnings)
        scaled = {"spec": {"replicas": 4}}
        told = (await user.patch(f"{path}/web", scaled, **DRY)).warnings
        assert "plan: Deployment shop/web: eu-1 4 -> 2, us-1 4 -> 2" in "".join(told)
        scale = (await user.get(f"{path}/web/scale")).body
        scale["spec"]["replicas"] = 2
        told = (await user.put(f"{path}/web/scale", scale, **DRY)).warnings
        assert "plan: Deployment shop/web: eu-1 4 -> 1, us-1 4 -> 1" in "".join(told)
        told = (await user.delete(f"{path}/web", **DRY)).warnings
        assert "plan: Deployment shop/web: it is deleted: it is removed" in "".join(told)
        assert await federation.store.get(WEB) is not None


async def test_a_dry_run_succeeds_where_no_scheduler_answers(
    tmp_path: Path,
) -> None:
    async with running_gateway(tmp_path, MemoryStore(), MemoryBus()) as (_, user):
        await user.post("/api/v1/namespaces", {"metadata": {"name": "shop"}})
        answer = await user.post(POLICIES, a_policy(), **DRY)
        assert answer.code == 201
        (warning,) = answer.warnings
        assert "what this would move is not known" in warning
        path = "/apis/apps/v1/namespaces/shop/deployments"
        assert (await user.post(path, deployment("web", 1), **DRY)).warnings == ()


def revision(stored: Stored | None) -> int:
    assert stored is not None
    return stored.revision
