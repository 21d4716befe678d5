"""The image, as an engine runs it: nats-server under the store's contract, members behind HTTP.

Needs a Docker engine, and the images it names: what cannot be had is skipped, saying so.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import docker  # type: ignore[import-untyped]
import pytest
from docker.errors import (  # type: ignore[import-untyped]
    BuildError,
    DockerException,
    ImageNotFound,
)
from testcontainers.community.k3s import K3SContainer
from testcontainers.core.config import ConnectionMode, testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.image import DockerImage

from hanse.membership.join import examine
from hanse.setup import Settings, Volumes
from shared.apimachinery.manifest import GroupVersionKind, Manifest, encode, uid_of
from shared.bus.jetstream import connect, ensure_topology
from shared.bus.settings import NatsSettings
from shared.bus.topology import STREAMS
from shared.memberapi.credentials import MemberCredentials, parse_kubeconfig
from shared.memberapi.http import HttpMemberApi, open_member
from shared.memberapi.port import ResourceType
from shared.store.jetstream import open_store
from shared.store.port import ObjectStore

# The part of the store's contract that a server could break; `stores` below is this module's own.
from tests.contract.test_object_store import (  # noqa: F401
    test_a_created_object_is_read_back_with_its_revision,
    test_a_deleted_object_is_gone_and_can_be_created_again,
    test_creating_what_exists_is_refused,
    test_the_second_of_two_writers_with_the_same_revision_loses,
)

# Building the image without a cache takes a minute or two; a member of k3s starts in one.
pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
BASE = "python:3.11-slim-bookworm"
K3S = "rancher/k3s:v1.31.5-k3s1"
NATS_PORT = Settings().nats_port
MEMBER_PORT = 6443
VOLUMES = Volumes(Settings().folder)
DEADLINE = 120.0
# What pip says when it reaches no package index.
_OFFLINE = ("Failed to establish a new connection", "Temporary failure in name resolution")

NAMESPACES = ResourceType(GroupVersionKind("", "v1", "Namespace"), "namespaces", namespaced=False)
DEPLOYMENTS = ResourceType(
    GroupVersionKind("apps", "v1", "Deployment"), "deployments", namespaced=True
)


@pytest.fixture(scope="module")
def engine() -> Iterator[docker.DockerClient]:
    try:
        _knock(os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock")
        client = docker.from_env()
    except (DockerException, OSError) as err:
        pytest.skip(f"no Docker engine answers: {err}")
    # It would be one more image to have; every container here is removed by its own fixture.
    testcontainers_config.ryuk_disabled = True
    # K3SContainer asks for its address before it has one of its own.
    if testcontainers_config.connection_mode_override is None:
        testcontainers_config.connection_mode_override = ConnectionMode.docker_host
    yield client
    client.close()


def _knock(address: str) -> None:
    """Raise OSError where nobody listens: the client would leave a socket open then."""
    if address.startswith("unix://"):
        with socket.socket(socket.AF_UNIX) as knocking:
            knocking.connect(address.removeprefix("unix://"))


def ensure_image(engine: docker.DockerClient, name: str) -> None:
    """Skip the test where the engine neither has the image nor can get it."""
    try:
        engine.images.get(name)
    except ImageNotFound:
        try:
            engine.images.pull(name)
        except (DockerException, OSError) as err:
            pytest.skip(f"image not available: {name}: {err}")


@pytest.fixture(scope="module")
def image(engine: docker.DockerClient) -> Iterator[str]:
    """The image of the Dockerfile, built from this checkout."""
    ensure_image(engine, BASE)
    built = DockerImage(path=ROOT, tag="hanse-test:latest")
    try:
        with built:
            yield str(built)
    except BuildError as err:
        log = "".join(str(line.get("stream", "")) for line in err.build_log)
        if any(sign in log for sign in _OFFLINE):
            pytest.skip("image not available: it cannot be built without a package index")
        raise


def publish(container: DockerContainer, port: int) -> None:
    """On this machine's loopback only, where the engine is on this machine."""
    local = container.get_container_host_ip() in ("localhost", "127.0.0.1")
    ports: dict[str, Any] = container.ports
    ports.clear()
    ports[str(port)] = ("127.0.0.1", None) if local else None


def address_of(container: DockerContainer, port: int) -> str:
    return f"{container.get_container_host_ip()}:{container.get_exposed_port(port)}"


def run(container: DockerContainer, *command: str) -> str:
    result = container.exec(list(command))
    assert result.exit_code == 0, result.output
    return result.output.decode()


@pytest.fixture(scope="module")
def nats(image: str) -> Iterator[DockerContainer]:
    """nats-server as compose.yaml has it: set up first, then run."""
    start = f"python -m hanse.setup && exec nats-server -c {VOLUMES.nats}/nats-server.conf"
    container = DockerContainer(image).with_command(["sh", "-c", start])
    publish(container, NATS_PORT)
    with container:
        yield container


@pytest.fixture
async def stores(
    nats: DockerContainer, tmp_path: Path
) -> AsyncIterator[tuple[ObjectStore, ObjectStore]]:
    """Overrides the fixture of all tests: two processes' views of a store in a container."""
    address = address_of(nats, NATS_PORT)
    await until_ready(nats)
    credentials = tmp_path / "credentials.json"
    credentials.touch(mode=0o600)
    credentials.write_text(run(nats, "cat", str(VOLUMES.nats_credentials)))
    settings = NatsSettings(url=f"nats://{address}", credentials_file=credentials)
    async with AsyncExitStack() as stack:
        opened = []
        for name in ("first", "second"):
            connection = await stack.enter_async_context(connect(settings, name))
            await ensure_topology(connection, STREAMS)
            opened.append(await stack.enter_async_context(open_store(connection)))
        yield opened[0], opened[1]
        for stream in STREAMS:
            await connection.api(f"STREAM.DELETE.{stream.name}")


async def until_ready(nats: DockerContainer) -> None:
    probe = ["python", "-m", "hanse.probe", f"nats://127.0.0.1:{NATS_PORT}"]
    async with asyncio.timeout(DEADLINE):
        while nats.exec(probe).exit_code != 0:
            await asyncio.sleep(0.2)


async def test_secrets_are_made_in_the_container_and_are_its_users_alone(
    nats: DockerContainer,
) -> None:
    await until_ready(nats)
    assert run(nats, "id", "-u").strip() != "0"
    found = run(nats, "find", str(VOLUMES.root), "-type", "f", "-not", "-perm", "600")
    # JetStream's own files are within a folder that nobody else enters; ports are no secret.
    outside = [
        line for line in found.split() if "/jetstream/" not in line and not line.endswith(".ports")
    ]
    assert outside == []
    folders = run(
        nats, "find", str(VOLUMES.root), "-mindepth", "1", "-maxdepth", "1", "-perm", "700"
    )
    assert str(VOLUMES.nats) in folders.split()


def test_nothing_secret_is_in_the_image(engine: docker.DockerClient, image: str) -> None:
    listing = engine.containers.run(
        image, ["find", str(VOLUMES.root), "-type", "f"], remove=True, network_mode="none"
    )
    assert listing == b""
    variables = engine.images.get(image).attrs["Config"]["Env"]
    assert not [one for one in variables if one.startswith("HANSE_")]


@pytest.fixture(scope="module")
def simulated(image: str) -> Iterator[MemberCredentials]:
    """A simulated member in a container of its own."""
    container = DockerContainer(image).with_command(["python", "-m", "services.simulator"])
    container.with_envs(
        HANSE_HOST="0.0.0.0",  # noqa: S104 - within the container.
        HANSE_PORT=str(MEMBER_PORT),
        HANSE_FOLDER=str(VOLUMES.member),
        HANSE_ADVERTISED_HOST=container.get_container_host_ip(),
    )
    publish(container, MEMBER_PORT)
    with container:
        kubeconfig = str(VOLUMES.member / "kubeconfig")
        waiting = f"until test -s {kubeconfig}; do sleep 0.1; done; cat {kubeconfig}"
        text = run(container, "timeout", str(int(DEADLINE)), "sh", "-c", waiting)
        address = address_of(container, MEMBER_PORT)
        published = text.replace(f":{MEMBER_PORT}", f":{address.rpartition(':')[2]}")
        yield parse_kubeconfig(published, Path())


@pytest.fixture(scope="module")
def k3s(engine: docker.DockerClient) -> Iterator[MemberCredentials]:
    """A small real Kubernetes, with its controllers."""
    ensure_image(engine, K3S)
    container = K3SContainer(image=K3S)
    publish(container, K3SContainer.KUBE_SECURE_PORT)
    with container:
        yield parse_kubeconfig(container.config_yaml(), Path())


@pytest.fixture(params=["simulated", "k3s"])
async def member(request: pytest.FixtureRequest) -> AsyncIterator[HttpMemberApi]:
    async with open_member(request.getfixturevalue(request.param), name=request.param) as api:
        yield api


def a_deployment(replicas: int) -> Manifest:
    labels = {"app": "web"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "web", "image": "registry.example/web:1"}]},
            },
        },
    }


async def until_observed(member: HttpMemberApi, generation: int, replicas: int) -> Manifest:
    """Wait until the member's own controllers have acted."""
    async with asyncio.timeout(DEADLINE):
        while True:
            live = await member.get(DEPLOYMENTS, "shop", "web")
            assert live is not None
            status = live.get("status") or {}
            if (status.get("observedGeneration"), status.get("replicas")) == (generation, replicas):
                return live
            await asyncio.sleep(0.2)


async def test_a_member_in_a_container_can_join_and_does_what_is_applied(
    member: HttpMemberApi,
) -> None:
    found = await examine(member)
    assert found.findings == []
    assert found.id
    assert DEPLOYMENTS in await member.discover()

    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    await member.apply(NAMESPACES, "", "shop", encode(namespace))
    first = await member.apply(DEPLOYMENTS, "shop", "web", encode(a_deployment(2)))
    await until_observed(member, 1, 2)
    again = await member.apply(DEPLOYMENTS, "shop", "web", encode(a_deployment(2)))
    assert again["metadata"]["generation"] == first["metadata"]["generation"] == 1
    await member.apply(DEPLOYMENTS, "shop", "web", encode(a_deployment(3)))
    live = await until_observed(member, 2, 3)
    managers = {entry["manager"] for entry in live["metadata"]["managedFields"]}
    assert "hanse" in managers

    assert await member.delete(
        DEPLOYMENTS, "shop", "web", uid=uid_of(live), propagation="Background"
    )
    assert await member.get(DEPLOYMENTS, "shop", "web") is None
