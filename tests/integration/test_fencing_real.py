"""deploy/beside.yaml on a real kube-apiserver, and the propagator that it asks for beside it.

The member is cut off from the hub and from NATS, and what is fenced there stops before it begins in
a simulated one. There are no controllers: the Deployment runs nothing, and nothing is told of pods.
"""

import asyncio
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from hanse.local.federation import Federation, FederationSettings, start_federation
from hanse.membership.join import Place, join
from shared.apimachinery.manifest import GroupVersionKind, Manifest, decode
from shared.memberapi.credentials import MemberCredentials
from shared.memberapi.http import open_member
from shared.memberapi.port import MemberApi
from shared.runtime.kubeconfig import write_kubeconfig
from tests.chaos.link import Link, open_link
from tests.integration.real_members import DEPLOYMENTS, until
from tests.kube_apiserver import find_assets, run_kube_apiserver
from tests.processes import child

pytestmark = [pytest.mark.kube_apiserver, pytest.mark.timeout(300)]

DEPLOY = Path(__file__).parents[2] / "deploy" / "beside.yaml"
REAL, SIMULATED = "real", "eu-1"
NAMESPACE, NAME = "default", "ledger"
CLUSTER = GroupVersionKind("hanse.dev", "v1alpha1", "Cluster")
DEADLINE = 90.0
QUICK = {
    "HANSE_FENCE_RENEWAL": "0.5",
    "HANSE_FENCE_PATIENCE": "3",
    "HANSE_FENCE_RESTART": "1",
    "HANSE_FENCE_ACT": "2",
    "HANSE_NATS_DEADLINE": "1",
}
HUB = {"HANSE_TOLERATION": "0", "HANSE_BRAKE_FLEET_MIN": "9"}


@dataclass
class Site:
    """The real member: how administrators and Hanse reach it, and where it is talked of."""

    administrator: MemberCredentials
    kubeconfig: Path
    kubectl: str

    def run(self, *arguments: str) -> str:
        command = [self.kubectl, f"--kubeconfig={self.kubeconfig}", *arguments]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """With the manifests of deploy/beside.yaml applied by kubectl."""
    kubectl = shutil.which("kubectl", path=find_assets())
    if kubectl is None:
        pytest.skip("KUBEBUILDER_ASSETS has no kubectl")
    folder = tmp_path_factory.mktemp("real")
    with run_kube_apiserver(folder) as administrator:
        found = Site(administrator, _kubeconfig(folder / "admin", administrator), kubectl)
        found.run("apply", "--validate=strict", "-f", str(DEPLOY))
        yield found


def _kubeconfig(path: Path, access: MemberCredentials) -> Path:
    write_kubeconfig(
        path,
        name="member",
        server=access.server,
        certificate_authority=(access.certificate_authority or "").encode(),
        token=access.token or "",
    )
    return path


def deployed() -> Manifest:
    documents = yaml.safe_load_all(DEPLOY.read_text())
    return next(each for each in documents if each["kind"] == "Deployment")


def own_access(site: Site) -> MemberCredentials:
    """What the propagator's pod finds."""
    token = site.run("create", "token", "propagator", "--namespace=hanse").strip()
    return msgspec.structs.replace(site.administrator, token=token)


def test_its_manifests_are_taken_and_applying_them_again_changes_nothing(site: Site) -> None:
    again = site.run("apply", "--server-side", "--dry-run=server", "-f", str(DEPLOY))
    assert again.count("serverside-applied") == 4
    unchanged = site.run("apply", "-f", str(DEPLOY))
    assert unchanged.count("unchanged") == 4, unchanged


def test_the_propagator_may_do_what_it_has_to(site: Site) -> None:
    for verb, what in (
        ("patch", "deployments.apps/scale"),
        ("list", "deployments.apps"),
        ("watch", "secrets"),
        ("delete", "namespaces"),
        ("escalate", "clusterroles.rbac.authorization.k8s.io"),
    ):
        who = "--as=system:serviceaccount:hanse:propagator"
        assert site.run("auth", "can-i", verb, what, who).strip() == "yes"


@dataclass
class Ground:
    """The federation, whose real member has a propagator beside it, and the lines to it."""

    federation: Federation
    real: MemberApi
    lines: tuple[Link, ...]
    told: list[str] = field(default_factory=list)
    """Where the workload began and ended, in this order."""

    def cut(self) -> None:
        for line in self.lines:
            line.cut()

    def heal(self) -> None:
        for line in self.lines:
            line.heal()

    async def replicas(self, name: str) -> int:
        api = self.real if name == REAL else self.federation.members[name]
        found = await api.get(DEPLOYMENTS, NAMESPACE, NAME)
        return int(found["spec"].get("replicas", 1)) if found else 0

    async def fence(self) -> dict[str, Any]:
        found = await self.federation.hub.get(CLUSTER, "", REAL) or {}
        return dict((found.get("status") or {}).get("fence") or {})

    async def follow(self, name: str) -> None:
        """Note every beginning and end in one member, as its API server tells of them."""
        api = self.real if name == REAL else self.federation.members[name]
        listing = await api.list(DEPLOYMENTS)
        runs = False
        async with api.watch(DEPLOYMENTS, resource_version=listing.resource_version) as events:
            async for event in events:
                found = decode(event.body)
                if found["metadata"]["name"] != NAME:
                    continue
                now = event.type != "DELETED" and found["spec"].get("replicas", 1) > 0
                if now != runs:
                    self.told.append(f"{'begins' if now else 'ends'} in {name}")
                runs = now


@asynccontextmanager
async def a_ground(folder: Path, site: Site) -> AsyncIterator[Ground]:
    async with AsyncExitStack() as stack:
        settings = FederationSettings(
            data_dir=folder,
            clusters=1,
            service_environment=HUB,
            simulator_environment={"HANSE_POD_READY": "0.05"},
        )
        federation = await stack.enter_async_context(start_federation(settings))
        real = await stack.enter_async_context(open_member(site.administrator, name=REAL))
        probed = await stack.enter_async_context(open_link(_port(site.administrator.server)))
        nats = await stack.enter_async_context(open_link(_port(federation.nats.url)))
        server = f"https://127.0.0.1:{probed.port}"
        access = msgspec.structs.replace(site.administrator, server=server)
        await join(federation.hub.api, real, Place(REAL), access)
        pull = {"apiVersion": CLUSTER.api_version, "kind": "Cluster", "metadata": {"name": REAL}}
        await federation.hub.apply({**pull, "spec": {"mode": "Pull"}})
        containers = deployed()["spec"]["template"]["spec"]["containers"]
        environment = {each["name"]: each["value"] for each in containers[0]["env"]}
        environment |= QUICK | {
            "HANSE_BESIDE": REAL,
            "HANSE_NATS_URL": f"nats://127.0.0.1:{nats.port}",
            "HANSE_NATS_CREDENTIALS_FILE": str(federation.nats.credentials_file),
            "HANSE_MEMBER_KUBECONFIG": str(_kubeconfig(folder / "own", own_access(site))),
            "HANSE_PROBES_PORT": "0",
        }
        module = containers[0]["command"][-1]
        command = [sys.executable, "-m", module]
        stack.enter_context(child(command, folder / "beside.log", environment))
        yield Ground(federation, real, (probed, nats))


def _port(url: str) -> int:
    return int(url.rpartition(":")[2].rstrip("/"))


def policy(*clusters: str) -> Manifest:
    return {
        "apiVersion": "hanse.dev/v1alpha1",
        "kind": "PropagationPolicy",
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "spec": {
            "resourceSelectors": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": NAME}],
            "placement": {
                "clusterAffinity": {"clusterNames": list(clusters)},
                "spreadConstraints": [{"spreadByField": "cluster", "minGroups": 1, "maxGroups": 1}],
            },
            "failover": {"fencing": "Required"},
        },
    }


LEDGER: Manifest = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": NAME, "namespace": NAMESPACE},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": NAME}},
        "template": {
            "metadata": {"labels": {"app": NAME}},
            "spec": {
                "terminationGracePeriodSeconds": 0,
                "containers": [{"name": "main", "image": "example/ledger:1"}],
            },
        },
    },
}


async def test_what_is_fenced_stops_in_a_real_member_before_it_begins_elsewhere(
    tmp_path: Path, site: Site
) -> None:
    async with a_ground(tmp_path, site) as ground:

        async def held() -> bool:
            return bool((await ground.fence()).get("held"))

        async def runs(name: str) -> bool:
            return await ground.replicas(name) == 2

        await until(held, DEADLINE, what="the first lease")
        following = [asyncio.create_task(ground.follow(name)) for name in (REAL, SIMULATED)]
        await ground.federation.hub.apply(policy(REAL))
        await ground.federation.hub.apply(LEDGER)
        await until(lambda: runs(REAL), DEADLINE)
        await ground.federation.hub.apply(policy(REAL, SIMULATED))
        term = (await ground.fence())["term"]

        ground.cut()
        await until(lambda: runs(SIMULATED), DEADLINE)
        assert ground.told == [f"begins in {REAL}", f"ends in {REAL}", f"begins in {SIMULATED}"]
        assert await ground.fence() == {"term": term + 1}

        # It returns: what lies there is not begun again, and goes.
        ground.heal()
        await until(held, DEADLINE, what="the lease of the next term")

        async def gone() -> bool:
            return await ground.real.get(DEPLOYMENTS, NAMESPACE, NAME) is None

        await until(gone, DEADLINE)
        assert ground.told[3:] == []
        assert await ground.replicas(SIMULATED) == 2
        for task in following:
            task.cancel()
        await asyncio.gather(*following, return_exceptions=True)
