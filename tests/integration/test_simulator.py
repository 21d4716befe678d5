"""A simulated member over HTTPS: what a client sees of workloads, nodes, faults and restarts."""

import asyncio
import itertools
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from services.simulator.service import Member, open_cluster
from services.simulator.settings import Settings
from shared.apimachinery.manifest import GroupVersionKind, Manifest, encode
from shared.errors import MemberRefused, MemberThrottled, MemberUnreachable
from shared.memberapi.credentials import read_kubeconfig
from shared.memberapi.http import HttpMemberApi, MemberLimits, open_member
from shared.memberapi.port import ResourceType

DEADLINE_SECONDS = 20.0
PODS = ResourceType(GroupVersionKind("", "v1", "Pod"), "pods", namespaced=True)
NODES = ResourceType(GroupVersionKind("", "v1", "Node"), "nodes", namespaced=False)
NAMESPACES = ResourceType(GroupVersionKind("", "v1", "Namespace"), "namespaces", namespaced=False)
SERVICES = ResourceType(GroupVersionKind("", "v1", "Service"), "services", namespaced=True)
ENDPOINTS = ResourceType(GroupVersionKind("", "v1", "Endpoints"), "endpoints", namespaced=True)
CONFIG_MAPS = ResourceType(GroupVersionKind("", "v1", "ConfigMap"), "configmaps", namespaced=True)
CLAIMS = ResourceType(
    GroupVersionKind("", "v1", "PersistentVolumeClaim"), "persistentvolumeclaims", namespaced=True
)
DEPLOYMENTS = ResourceType(
    GroupVersionKind("apps", "v1", "Deployment"), "deployments", namespaced=True
)
REPLICA_SETS = ResourceType(
    GroupVersionKind("apps", "v1", "ReplicaSet"), "replicasets", namespaced=True
)
STATEFUL_SETS = ResourceType(
    GroupVersionKind("apps", "v1", "StatefulSet"), "statefulsets", namespaced=True
)
JOBS = ResourceType(GroupVersionKind("batch", "v1", "Job"), "jobs", namespaced=True)


CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}}


class Site:
    """One running member and a client of it."""

    def __init__(self, member: Member, api: HttpMemberApi, session: aiohttp.ClientSession) -> None:
        self.member = member
        self.api = api
        self.session = session

    async def apply(self, kind: ResourceType, manifest: Manifest) -> Manifest:
        name = manifest["metadata"]["name"]
        return await self.api.apply(kind, "default", name, encode(manifest))

    async def get(self, kind: ResourceType, name: str) -> Manifest | None:
        return await self.api.get(kind, "default", name)

    async def status(self, kind: ResourceType, name: str) -> dict[str, Any]:
        found = await self.get(kind, name)
        status: dict[str, Any] = (found or {}).get("status") or {}
        return status

    async def pods(self) -> list[Manifest]:
        return list((await self.api.list(PODS, namespace="default")).items)

    async def control(self, path: str, body: dict[str, Any] | None = None) -> Any:
        url = f"{self.member.listening.url}/simulator/{path}"
        headers = {"Authorization": f"Bearer {self.member.identity.token}"}
        async with self.session.post(url, json=body or {}, headers=headers, ssl=False) as response:
            assert response.status == 200, await response.text()
            return await response.json()


@asynccontextmanager
async def open_site(folder: Path, **settings: Any) -> AsyncIterator[Site]:
    chosen = Settings(
        **{
            "name": "eu-1",
            "folder": folder,
            "nodes": 2,
            "pod_ready": timedelta(milliseconds=50),
            "pod_duration": timedelta(milliseconds=50),
            "controller_rest": timedelta(milliseconds=200),
            **settings,
        },
    )
    limits = MemberLimits(deadline=timedelta(seconds=10))
    async with (
        open_cluster(chosen) as member,
        aiohttp.ClientSession() as session,
        open_member(read_kubeconfig(member.kubeconfig), name="eu-1", limits=limits) as api,
    ):
        running = [asyncio.create_task(task(), name=name) for name, task in member.tasks.items()]
        try:
            yield Site(member, api, session)
            assert not any(task.done() for task in running), "no task of the member ended"
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(tmp_path / "eu-1") as opened:
        yield opened


async def until(check: Callable[[], Awaitable[bool]]) -> None:
    """Wait for a condition; the test fails if it never holds."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not await check():
            await asyncio.sleep(0.02)


def deployment(
    replicas: int = 2, *, image: str = "web:1", container: dict[str, Any] | None = None
) -> Manifest:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "main", "image": image, **(container or {})}]},
            },
        },
    }


async def is_rolled_out(site: Site, replicas: int) -> bool:
    found = await site.get(DEPLOYMENTS, "web")
    assert found is not None
    status = found.get("status") or {}
    counts = {status.get(name, 0) for name in ("replicas", "updatedReplicas", "availableReplicas")}
    is_seen = status.get("observedGeneration") == found["metadata"]["generation"]
    return is_seen and counts == {replicas}


async def test_a_deployment_becomes_ready_is_scaled_updated_and_deleted(site: Site) -> None:
    await site.apply(DEPLOYMENTS, deployment(2))
    await until(lambda: is_rolled_out(site, 2))
    await site.apply(DEPLOYMENTS, deployment(5))
    await until(lambda: is_rolled_out(site, 5))
    await site.apply(DEPLOYMENTS, deployment(3, image="web:2"))
    await until(lambda: is_rolled_out(site, 3))
    pods = await site.pods()
    assert [pod["spec"]["containers"][0]["image"] for pod in pods] == ["web:2"] * 3
    assert {pod["status"]["phase"] for pod in pods} == {"Running"}

    found = await site.get(DEPLOYMENTS, "web")
    assert found is not None
    uid = found["metadata"]["uid"]
    assert await site.api.delete(DEPLOYMENTS, "default", "web", uid=uid, propagation="Background")

    async def all_gone() -> bool:
        sets = await site.api.list(REPLICA_SETS, namespace="default")
        return not sets.items and not await site.pods()

    await until(all_gone)


async def test_a_rollout_goes_on_while_clients_write_without_end(site: Site) -> None:
    await site.apply(DEPLOYMENTS, deployment(5))

    async def write() -> None:
        for number in itertools.count():
            settings = {"metadata": {"name": "settings"}, "data": {"number": str(number)}}
            await site.apply(CONFIG_MAPS, {"apiVersion": "v1", "kind": "ConfigMap", **settings})

    writing = asyncio.create_task(write())
    await until(lambda: is_rolled_out(site, 5))
    assert not writing.done()
    writing.cancel()


async def test_applying_the_same_again_changes_nothing_and_leaves_status_to_the_cluster(
    site: Site,
) -> None:
    await site.apply(DEPLOYMENTS, deployment(2))
    await until(lambda: is_rolled_out(site, 2))
    before = await site.get(DEPLOYMENTS, "web")
    again = await site.apply(DEPLOYMENTS, deployment(2))
    after = await site.get(DEPLOYMENTS, "web")
    assert before == after
    assert before is not None
    assert again["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    (entry,) = before["metadata"]["managedFields"]
    assert (entry["manager"], entry["operation"]) == ("hanse", "Apply")
    assert "f:status" not in entry["fieldsV1"]


async def test_pods_of_a_lost_node_run_elsewhere(site: Site) -> None:
    await site.apply(DEPLOYMENTS, deployment(4))
    await until(lambda: is_rolled_out(site, 4))
    nodes = await site.control("nodes", {"action": "remove", "name": "eu-1-node-1"})
    assert [node["name"] for node in nodes] == ["eu-1-node-2"]

    async def all_run_on_what_is_left() -> bool:
        return {pod["spec"]["nodeName"] for pod in await site.pods()} == {"eu-1-node-2"}

    await until(all_run_on_what_is_left)
    await until(lambda: is_rolled_out(site, 4))


async def test_pods_that_fit_nowhere_wait_until_there_is_room(site: Site) -> None:
    large = {"resources": {"requests": {"cpu": "6"}}}
    await site.apply(DEPLOYMENTS, deployment(3, container=large))

    async def one_waits() -> bool:
        waiting = [pod for pod in await site.pods() if pod["status"]["phase"] == "Pending"]
        conditions = [one for pod in waiting for one in pod["status"].get("conditions", ())]
        return [one["reason"] for one in conditions if one.get("reason") == "Unschedulable"] == [
            "Unschedulable"
        ]

    await until(one_waits)
    await site.control("nodes", {"action": "add"})
    await until(lambda: is_rolled_out(site, 3))


async def test_pods_of_a_silent_node_are_not_ready_until_it_answers(site: Site) -> None:
    await site.apply(DEPLOYMENTS, deployment(4))
    await until(lambda: is_rolled_out(site, 4))
    await site.control("nodes", {"action": "silence", "name": "eu-1-node-1"})

    async def half_is_left() -> bool:
        return (await site.status(DEPLOYMENTS, "web")).get("availableReplicas") == 2

    await until(half_is_left)
    await site.control("nodes", {"action": "answer", "name": "eu-1-node-1"})
    await until(lambda: is_rolled_out(site, 4))


async def test_a_service_has_an_address_and_endpoints(site: Site) -> None:
    ports = [{"port": 80, "targetPort": 8080}]
    manifest = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": ports},
    }
    answer = await site.apply(SERVICES, manifest)
    found = await site.get(SERVICES, "web")
    assert found is not None
    address = found["spec"]["clusterIP"]
    assert address.startswith("10.96.")
    await site.apply(DEPLOYMENTS, deployment(2))

    async def both_are_reached() -> bool:
        endpoints = await site.get(ENDPOINTS, "web")
        subsets = (endpoints or {}).get("subsets") or [{}]
        return len(subsets[0].get("addresses", ())) == 2

    await until(both_are_reached)
    await site.apply(SERVICES, manifest)
    found = await site.get(SERVICES, "web")
    assert found is not None
    assert found["spec"]["clusterIP"] == address
    assert found["metadata"]["generation"] == answer["metadata"]["generation"]


async def test_a_stateful_set_gets_its_claims_bound(site: Site) -> None:
    template = deployment()["spec"]["template"]
    claim = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    spec = {
        "replicas": 2,
        "serviceName": "web",
        "selector": {"matchLabels": {"app": "web"}},
        "template": template,
        "volumeClaimTemplates": [claim],
    }
    manifest = {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "db"},
        "spec": spec,
    }
    await site.apply(STATEFUL_SETS, manifest)

    async def is_ready() -> bool:
        return (await site.status(STATEFUL_SETS, "db")).get("readyReplicas") == 2

    await until(is_ready)
    claims = (await site.api.list(CLAIMS, namespace="default")).items
    assert [one["metadata"]["name"] for one in claims] == ["data-db-0", "data-db-1"]
    assert {one["status"]["phase"] for one in claims} == {"Bound"}


async def test_a_job_completes(site: Site) -> None:
    container = {"name": "main", "image": "load:1"}
    spec = {"template": {"spec": {"restartPolicy": "Never", "containers": [container]}}}
    manifest = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "load"},
        "spec": {**spec, "completions": 2},
    }
    await site.apply(JOBS, manifest)

    async def is_complete() -> bool:
        conditions = (await site.status(JOBS, "load")).get("conditions", ())
        return any(one["type"] == "Complete" and one["status"] == "True" for one in conditions)

    await until(is_complete)
    assert (await site.status(JOBS, "load"))["succeeded"] == 2


async def test_a_pod_waits_for_the_config_map_it_reads(site: Site) -> None:
    source = {"envFrom": [{"configMapRef": {"name": "settings"}}]}
    await site.apply(DEPLOYMENTS, deployment(1, container=source))

    async def waits() -> bool:
        pods = await site.pods()
        statuses = [one for pod in pods for one in pod["status"].get("containerStatuses", ())]
        reasons = [one["state"].get("waiting", {}).get("reason") for one in statuses]
        return reasons == ["CreateContainerConfigError"]

    await until(waits)
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}}
    await site.apply(CONFIG_MAPS, manifest)
    await until(lambda: is_rolled_out(site, 1))


async def test_faults_strike_until_they_are_taken_back(site: Site) -> None:
    await site.control("faults", {"errorRate": 1, "status": 503})
    with pytest.raises(MemberThrottled):
        await site.api.list(NODES)
    await site.control("faults", {"errorRate": 1, "status": 403})
    with pytest.raises(MemberRefused):
        await site.api.list(NODES)
    await site.control("faults", {"hang": True})
    with pytest.raises(MemberUnreachable):
        await site.api.read("/readyz", deadline_seconds=0.2)
    await site.control("faults", {})
    assert len((await site.api.list(NODES)).items) == 2


async def test_throttling_serves_only_so_many_requests(site: Site) -> None:
    await site.control("faults", {"throttle": 1})
    refused = 0
    for _ in range(5):
        try:
            await site.api.read("/version", deadline_seconds=5)
        except MemberThrottled:
            refused += 1
    assert refused >= 1


async def test_the_control_endpoint_is_closed_to_strangers_and_to_nonsense(site: Site) -> None:
    url = f"{site.member.listening.url}/simulator/faults"
    async with site.session.get(url, ssl=False) as response:
        assert response.status == 401
    headers = {"Authorization": f"Bearer {site.member.identity.token}"}
    for body in ({"errorRate": 2}, {"unknown": 1}, {"hang": "yes"}):
        async with site.session.post(url, json=body, headers=headers, ssl=False) as response:
            assert response.status == 400
            assert (await response.json())["reason"] == "BadRequest"


async def test_a_namespace_takes_everything_with_it(site: Site) -> None:
    name = "shop"
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    made = await site.api.apply(NAMESPACES, "", name, encode(namespace))
    await site.api.apply(DEPLOYMENTS, name, "web", encode(deployment(3)))

    async def three_run() -> bool:
        return len((await site.api.list(PODS, namespace=name)).items) == 3

    await until(three_run)
    uid = made["metadata"]["uid"]
    await site.api.delete(NAMESPACES, "", name, uid=uid, propagation="Background")

    async def is_gone() -> bool:
        return await site.api.get(NAMESPACES, "", name) is None

    await until(is_gone)
    assert (await site.api.list(PODS, namespace=name)).items == ()


async def test_a_namespace_goes_though_a_job_in_it_still_runs(tmp_path: Path) -> None:
    async with open_site(tmp_path / "eu-1", pod_duration=timedelta(minutes=5)) as site:
        container = {"name": "main", "image": "load:1"}
        template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
        job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "load"}}
        made = await site.api.apply(NAMESPACES, "", "shop", encode(namespace))
        body = encode({**job, "spec": {"template": template}})
        await site.api.apply(JOBS, "shop", "load", body)

        async def runs() -> bool:
            return len((await site.api.list(PODS, namespace="shop")).items) == 1

        await until(runs)
        uid = made["metadata"]["uid"]
        await site.api.delete(NAMESPACES, "", "shop", uid=uid, propagation="Background")

        async def is_gone() -> bool:
            return await site.api.get(NAMESPACES, "", "shop") is None

        await until(is_gone)


async def test_a_restarted_cluster_is_the_same_one_and_empty(tmp_path: Path) -> None:
    folder = tmp_path / "eu-1"
    async with open_site(folder) as first:
        await first.apply(DEPLOYMENTS, deployment(1))
        before = await first.api.get(NAMESPACES, "", "kube-system")
        token = first.member.identity.token
    async with open_site(folder) as second:
        after = await second.api.get(NAMESPACES, "", "kube-system")
        assert before is not None
        assert after is not None
        assert after["metadata"]["uid"] == before["metadata"]["uid"]
        assert second.member.identity.token == token
        assert await second.get(DEPLOYMENTS, "web") is None
        for name in ("token", "kubeconfig"):
            assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600


async def test_a_cluster_begins_with_a_backup_as_it_was_then(tmp_path: Path) -> None:
    folder = tmp_path / "eu-1"
    async with open_site(folder) as site:
        await site.apply(DEPLOYMENTS, deployment())
        await until(lambda: is_rolled_out(site, 2))
        then = await site.get(DEPLOYMENTS, "web")
        pods = {pod["metadata"]["uid"] for pod in await site.pods()}
        backup = await site.api.read("/simulator/backup", deadline_seconds=DEADLINE_SECONDS)
        await site.apply(DEPLOYMENTS, deployment(image="web:2"))
        await site.apply(CONFIG_MAPS, CONFIG_MAP)

    (folder / "backup.json").write_bytes(backup)
    async with open_site(folder) as site:
        now = await site.get(DEPLOYMENTS, "web")
        assert then is not None
        assert now is not None
        assert now["metadata"]["uid"] == then["metadata"]["uid"]
        assert now["spec"] == then["spec"]
        assert {pod["metadata"]["uid"] for pod in await site.pods()} == pods
        assert await site.get(CONFIG_MAPS, "settings") is None
        # It is alive: controllers go on from there.
        await site.apply(DEPLOYMENTS, deployment(3))
        await until(lambda: is_rolled_out(site, 3))

    async with open_site(folder) as site:
        assert await site.get(DEPLOYMENTS, "web") is None
