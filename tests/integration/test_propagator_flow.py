"""Much for one member: who comes first, what a sick one is spared, and what it finds afterwards."""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from services.propagator.core.pace import FIRST
from shared.apimachinery.manifest import Manifest, ObjectKey, encode
from shared.bus.jetstream import connect, ensure_topology, open_bus
from shared.bus.topology import STREAMS
from shared.runtime.nats_server import NatsServer
from shared.store.jetstream import open_store
from tests.federation import (
    SOON,
    Federation,
    TestMember,
    config_map,
    config_map_key,
    eventually,
)

MANY = int(os.environ.get("HANSE_FLOW_OBJECTS", "240"))
"""10,000 for the night."""
NAMES = [f"app-{number:05}" for number in range(MANY)]
PATIENT = max(60.0, MANY / 20)
pytestmark = pytest.mark.timeout(2 * PATIENT)


@asynccontextmanager
async def federation_of(*names: str, nats: Path | None = None) -> AsyncIterator[Federation]:
    async with AsyncExitStack() as stack:
        if nats is None:
            found = Federation(names)
        else:
            server = await stack.enter_async_context(NatsServer(nats))
            connection = await stack.enter_async_context(connect(server.settings, "test"))
            await ensure_topology(connection, STREAMS)
            store = await stack.enter_async_context(open_store(connection))
            found = Federation(names, store, open_bus(connection, "propagator"))
        await stack.enter_async_context(found.serving())
        await stack.enter_async_context(found.dispatching())
        await stack.enter_async_context(found.applying(retries=SOON))
        yield found


@pytest.fixture(params=["memory", "jetstream"])
async def federation(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Federation]:
    """Two members, in memory and on a real nats-server."""
    folder = tmp_path / "nats" if request.param == "jetstream" else None
    async with federation_of("eu-1", "us-1", nats=folder) as found:
        yield found


async def order_all(federation: Federation, value: str, generation: int, *clusters: str) -> None:
    """Write MANY ConfigMaps, and wait until each is ordered."""
    await write_all(federation, NAMES, value, generation, *clusters)
    await until_ordered(federation, NAMES, generation, clusters[-1])


async def write_all(
    federation: Federation, names: Sequence[str], value: str, generation: int, *clusters: str
) -> None:
    for name in names:
        key = config_map_key(name)
        await federation.write(key, config_map(name, value, generation=generation))
        await federation.bind(key, dict.fromkeys(clusters))


async def until_ordered(
    federation: Federation, names: Sequence[str], generation: int, cluster: str
) -> None:
    for name in names:

        async def ordered(name: str = name) -> bool:
            order = await federation.order(cluster, config_map_key(name))
            return order is not None and order.template_generation == generation

        await eventually(ordered, PATIENT)


def holds(member: TestMember, value: str, names: Sequence[str] = NAMES) -> bool:
    """Whether it holds all of *names* with that value; the first that it does not ends the look."""
    return all(member.get("configmaps", name).get("data") == {"a": value} for name in names)


def paths_written(member: TestMember) -> Counter[str]:
    return Counter(path for path in member.written() if "/configmaps/" in path)


async def test_a_member_cut_off_is_told_the_last_word_on_each_object_once(
    federation: Federation,
) -> None:
    eu = federation.members["eu-1"]
    await order_all(federation, "1", 1, "eu-1")
    await eventually(lambda: holds(eu, "1"), PATIENT)
    eu.hangs = True
    changed = NAMES[: MANY // 2]
    for generation in (2, 3, 4):
        await write_all(federation, changed, str(generation), generation, "eu-1")
        await until_ordered(federation, changed, generation, "eu-1")
    await asyncio.sleep(0.3)
    eu.requests.clear()
    eu.hangs = False
    await eventually(lambda: holds(eu, "4", changed), PATIENT)
    written = paths_written(eu)
    assert set(written) == {f"/api/v1/namespaces/shop/configmaps/{name}" for name in changed}
    assert set(written.values()) == {1}


async def test_a_member_that_asks_for_patience_gets_it_and_its_neighbours_do_not_wait(
    federation: Federation,
) -> None:
    eu, us = federation.members["eu-1"], federation.members["us-1"]
    eu.patience = 1
    await order_all(federation, "1", 1, "eu-1", "us-1")
    await eventually(lambda: holds(us, "1"), PATIENT)
    assert not any(eu.get("configmaps", name) for name in NAMES)
    # Its namespace first; then what was in hand, and half as much after each second of patience.
    assert len(eu.written()) < 2 * FIRST
    eu.patience = 0
    await eventually(lambda: holds(eu, "1"), PATIENT)


async def blocked(member: TestMember) -> asyncio.Event:
    """Have the member answer no write until the event is set."""
    release = asyncio.Event()

    async def wait(method: str, path: str) -> None:
        if method == "PATCH" and "/configmaps/" in path:
            await release.wait()

    member.answers_after = wait
    return release


async def test_a_delete_does_not_wait_behind_all_that_was_ordered_before(
    federation: Federation,
) -> None:
    eu = federation.members["eu-1"]
    doomed = config_map_key("doomed")
    await federation.write(doomed, config_map("doomed"))
    binding = await federation.bind(doomed, {"eu-1": None})
    await eventually(lambda: eu.get("configmaps", "doomed"))
    release = await blocked(eu)
    await order_all(federation, "1", 1, "eu-1")
    await federation.delete(binding)

    async def revoked() -> bool:
        order = await federation.order("eu-1", doomed)
        return order is not None and order.is_tombstone

    await eventually(revoked)
    await asyncio.sleep(0.3)
    release.set()
    await eventually(lambda: eu.written("DELETE"), PATIENT)
    before = eu.requests[: eu.requests.index(("DELETE", eu.written("DELETE")[0]))]
    assert sum(method == "PATCH" for method, _ in before) < MANY / 2
    await eventually(lambda: holds(eu, "1"), PATIENT)


async def test_one_object_of_a_namespace_does_not_wait_behind_thousands_of_another(
    federation: Federation,
) -> None:
    eu = federation.members["eu-1"]
    first = config_map_key("first", "few")
    await federation.write(first, config_map("first", namespace="few"))
    await federation.bind(first, {"eu-1": None})
    await eventually(lambda: eu.get("configmaps", "first", "few"))
    release = await blocked(eu)
    await order_all(federation, "1", 1, "eu-1")
    one = config_map_key("one", "few")
    await federation.write(one, config_map("one", namespace="few"))
    await federation.bind(one, {"eu-1": None})

    async def ordered() -> bool:
        return await federation.order("eu-1", one) is not None

    await eventually(ordered)
    await asyncio.sleep(0.3)
    release.set()
    await eventually(lambda: eu.get("configmaps", "one", "few"), PATIENT)
    assert len(paths_written(eu)) < MANY / 2
    await eventually(lambda: holds(eu, "1"), PATIENT)


async def test_a_definition_of_three_mebibytes_reaches_its_members(federation: Federation) -> None:
    name = "ledgers.example.com"
    key = ObjectKey("apiextensions.k8s.io", "customresourcedefinitions", "", name)
    await federation.write(key, large_definition(name))
    await federation.bind(key, {"eu-1": None, "us-1": None})
    for member in federation.members.values():

        def served(member: TestMember = member) -> bool:
            live = member.get(key.resource, name, "", key.group)
            conditions = (live.get("status") or {}).get("conditions") or ()
            return ("Established", "True") in [(one["type"], one["status"]) for one in conditions]

        await eventually(served, PATIENT)
        live = member.get(key.resource, name, "", key.group)
        assert len(encode(live)) > 3 * 1024 * 1024


def large_definition(name: str) -> Manifest:
    """Most of a large definition are its descriptions."""
    text = "What this field is for, at length. " * 300
    fields = {f"field{number:03}": {"type": "string", "description": text} for number in range(300)}
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": fields}}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": name, "uid": "uid-ledgers", "generation": 1},
        "spec": {
            "group": "example.com",
            "names": {"kind": "Ledger", "plural": "ledgers"},
            "scope": "Namespaced",
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                }
            ],
        },
    }
