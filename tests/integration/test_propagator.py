"""Dispatch and apply together, over a bus and stores in memory and members that speak HTTP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from services.propagator.core.marks import work_generation_of
from services.propagator.dispatch import lingering
from shared.apimachinery.manifest import GroupVersionKind, Manifest, ObjectKey, copy
from shared.bus.jetstream import connect, ensure_topology, open_bus
from shared.bus.topology import STREAMS
from shared.events.drift import DriftCorrected
from shared.events.orders import MANAGED_LABEL
from shared.memberapi.http import open_member
from shared.memberapi.port import ResourceType
from shared.runtime.nats_server import NatsServer
from shared.store.jetstream import open_store
from tests.federation import (
    Federation,
    config_map,
    config_map_key,
    deployment,
    deployment_key,
    eventually,
)

CONFIG_MAPS = ResourceType(GroupVersionKind("", "v1", "ConfigMap"), "configmaps", namespaced=True)
A = config_map_key("a")
WEB = deployment_key("web")
SHOP = ObjectKey("", "namespaces", "", "shop")


@pytest.fixture(params=["memory", "jetstream"])
async def federation(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Federation]:
    """Two members, dispatch and apply running; in memory and on a real nats-server."""
    async with AsyncExitStack() as stack:
        names = ["eu-1", "us-1"]
        if request.param == "memory":
            found = Federation(names)
        else:
            server = await stack.enter_async_context(NatsServer(tmp_path / "nats"))
            connection = await stack.enter_async_context(connect(server.settings, "test"))
            await ensure_topology(connection, STREAMS)
            store = await stack.enter_async_context(open_store(connection))
            found = Federation(names, store, open_bus(connection, "propagator"))
        await stack.enter_async_context(found.serving())
        await stack.enter_async_context(found.dispatching())
        await stack.enter_async_context(found.applying())
        yield found


async def applied(
    federation: Federation, cluster: str, key: ObjectKey, generation: int = 1
) -> None:
    async def holds() -> bool:
        report = await federation.report(cluster, key)
        return (
            report is not None
            and report.applied
            and report.present
            and report.template_generation == generation
        )

    await eventually(holds)


async def edit_in(federation: Federation, cluster: str, name: str, patch: Manifest) -> None:
    """Somebody changes a ConfigMap in a member."""
    member = federation.members[cluster]
    async with open_member(member.credentials(), name="somebody") as api:
        assert await api.merge(CONFIG_MAPS, "shop", name, patch)


async def test_a_bound_template_reaches_its_members_in_a_namespace_made_for_it(
    federation: Federation,
) -> None:
    await federation.write(WEB, deployment("web", 9))
    await federation.bind(WEB, {"eu-1": 6, "us-1": 3})
    for cluster, share in (("eu-1", 6), ("us-1", 3)):
        await applied(federation, cluster, WEB)
        live = federation.members[cluster].get("deployments", "web", group="apps")
        assert live["spec"]["replicas"] == share
        assert live["metadata"]["labels"][MANAGED_LABEL] == "true"
        assert federation.members[cluster].get("namespaces", "shop", "")
        report = await federation.report(cluster, WEB)
        assert report is not None
        assert (report.template_uid, report.generation) == ("uid-web", work_generation_of(live))

    async def told() -> bool:
        return len(await federation.facts("work", "applied")) == 4

    await eventually(told)


async def test_a_new_share_changes_only_its_member(federation: Federation) -> None:
    await federation.write(WEB, deployment("web", 9))
    await federation.bind(WEB, {"eu-1": 6, "us-1": 3})
    await applied(federation, "eu-1", WEB)
    await applied(federation, "us-1", WEB)
    before = await federation.order("us-1", WEB)
    await federation.bind(WEB, {"eu-1": 5, "us-1": 3})
    eu = federation.members["eu-1"]
    await eventually(lambda: eu.get("deployments", "web", group="apps")["spec"]["replicas"] == 5)
    assert await federation.order("us-1", WEB) == before
    assert len(federation.members["us-1"].written()) == 2


async def test_a_scale_waits_until_the_scheduler_divided_it(federation: Federation) -> None:
    await federation.write(WEB, deployment("web", 9))
    await federation.bind(WEB, {"eu-1": 9})
    await applied(federation, "eu-1", WEB)
    await federation.write(WEB, deployment("web", 12, generation=2))
    await federation.write(A, config_map("a"))
    await federation.bind(A, {"eu-1": None})
    await applied(federation, "eu-1", A)
    order = await federation.order("eu-1", WEB)
    assert order is not None
    assert order.template_generation == 1
    await federation.bind(WEB, {"eu-1": 12})
    await applied(federation, "eu-1", WEB, generation=2)


async def test_what_is_unbound_is_removed_and_forgotten_with_its_namespace(
    federation: Federation,
) -> None:
    await federation.write(A, config_map("a"))
    binding = await federation.bind(A, {"eu-1": None, "us-1": None})
    await applied(federation, "eu-1", A)
    await applied(federation, "us-1", A)
    await federation.delete(binding)
    for member in federation.members.values():
        await eventually(lambda member=member: not member.get("configmaps", "a"))
        await eventually(lambda member=member: not member.get("namespaces", "shop", ""))

    async def nothing_is_left() -> bool:
        return await federation.stored_works() == 0

    await eventually(nothing_is_left)

    async def told() -> bool:
        return len(await federation.facts("work", "removed")) == 4

    await eventually(told)


async def test_a_namespace_stays_while_anything_lives_in_it(federation: Federation) -> None:
    for name in ("a", "b"):
        await federation.write(config_map_key(name), config_map(name))
    binding = await federation.bind(A, {"eu-1": None})
    await federation.bind(config_map_key("b"), {"eu-1": None})
    await applied(federation, "eu-1", A)
    await applied(federation, "eu-1", config_map_key("b"))
    await federation.delete(binding)
    member = federation.members["eu-1"]
    await eventually(lambda: not member.get("configmaps", "a"))

    async def forgotten() -> bool:
        return await federation.order("eu-1", A) is None

    await eventually(forgotten)
    assert member.get("namespaces", "shop", "")
    assert member.get("configmaps", "b")


async def test_an_evicted_share_stays_until_the_scheduler_drops_it(federation: Federation) -> None:
    await federation.write(WEB, deployment("web", 4))
    await federation.bind(WEB, {"eu-1": 4})
    await applied(federation, "eu-1", WEB)
    eviction = {"cluster": "eu-1", "replicas": 4, "reason": "r", "since": "2026-01-01T00:00:00Z"}
    await federation.bind(WEB, {"us-1": 4}, evictions=[eviction])
    await applied(federation, "us-1", WEB)
    assert federation.members["eu-1"].get("deployments", "web", group="apps")
    await federation.bind(WEB, {"us-1": 4})
    await eventually(lambda: not federation.members["eu-1"].get("deployments", "web", group="apps"))


async def test_an_edit_in_a_member_is_put_right_and_told_with_its_author(
    federation: Federation,
) -> None:
    await federation.write(A, config_map("a"))
    await federation.bind(A, {"eu-1": None})
    await applied(federation, "eu-1", A)
    member = federation.members["eu-1"]
    await edit_in(federation, "eu-1", "a", {"data": {"a": "2", "theirs": "x"}})
    await eventually(lambda: member.get("configmaps", "a")["data"]["a"] == "1")
    assert member.get("configmaps", "a")["data"]["theirs"] == "x"
    facts = await eventually(lambda: federation.facts("drift", "corrected"))
    fact = msgspec.json.decode(facts[0], type=DriftCorrected)
    assert (fact.cluster, fact.name, fact.change) == ("eu-1", "a", "Edited")
    assert [one.path for one in fact.fields] == [".data.a"]


@pytest.mark.parametrize("how", ["deleted", "label removed"])
async def test_what_vanishes_from_our_view_is_put_back(federation: Federation, how: str) -> None:
    await federation.write(A, config_map("a"))
    await federation.bind(A, {"eu-1": None})
    await applied(federation, "eu-1", A)
    member = federation.members["eu-1"]
    uid = member.get("configmaps", "a")["metadata"]["uid"]
    if how == "deleted":
        async with open_member(member.credentials(), name="somebody") as api:
            await api.delete(CONFIG_MAPS, "shop", "a", uid=uid, propagation="Background")
        await eventually(
            lambda: member.get("configmaps", "a").get("metadata", {"uid": uid})["uid"] != uid
        )
    else:
        await edit_in(federation, "eu-1", "a", {"metadata": {"labels": {MANAGED_LABEL: None}}})
        await eventually(lambda: member.get("configmaps", "a")["metadata"].get("labels"))
    facts = await eventually(lambda: federation.facts("drift", "corrected"))
    fact = msgspec.json.decode(facts[0], type=DriftCorrected)
    assert fact.change == ("Deleted" if how == "deleted" else "Edited")


async def test_what_the_member_had_before_is_not_touched_unless_told_to(
    federation: Federation,
) -> None:
    member = federation.members["eu-1"]
    async with open_member(member.credentials(), name="somebody") as api:
        namespaces = ResourceType(
            GroupVersionKind("", "v1", "Namespace"), "namespaces", namespaced=False
        )
        await api.create(
            namespaces, "", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
        )
        theirs = copy(config_map("a", "theirs"))
        theirs["metadata"] = {"name": "a", "namespace": "shop"}
        await api.create(CONFIG_MAPS, "shop", theirs)
    await federation.write(A, config_map("a"))
    binding = await federation.bind(A, {"eu-1": None})

    async def refused() -> bool:
        report = await federation.report("eu-1", A)
        return report is not None and report.reason == "AlreadyExists" and not report.applied

    await eventually(refused)
    assert member.get("configmaps", "a")["data"] == {"a": "theirs"}
    await federation.delete(binding)

    async def forgotten() -> bool:
        return await federation.stored_works() == 0

    await eventually(forgotten)
    assert member.get("configmaps", "a")["data"] == {"a": "theirs"}
    assert member.get("namespaces", "shop", "")
    await federation.bind(A, {"eu-1": None}, conflictResolution="Overwrite")
    await eventually(lambda: member.get("configmaps", "a")["data"] == {"a": "1"})


async def test_an_object_that_was_made_a_moment_ago_is_not_taken_either(
    federation: Federation,
) -> None:
    member, late = federation.members["eu-1"], config_map_key("late")
    await federation.write(A, config_map("a"))
    await federation.bind(A, {"eu-1": None})
    # Now the worker believes to know which names are taken.
    await applied(federation, "eu-1", A)
    async with open_member(member.credentials(), name="somebody") as api:
        theirs = copy(config_map("late", "theirs"))
        theirs["metadata"] = {"name": "late", "namespace": "shop"}
        await api.create(CONFIG_MAPS, "shop", theirs)
    await federation.write(late, config_map("late"))
    await federation.bind(late, {"eu-1": None})

    async def refused() -> bool:
        report = await federation.report("eu-1", late)
        return report is not None and report.reason == "AlreadyExists" and not report.applied

    await eventually(refused)
    assert member.get("configmaps", "late")["data"] == theirs["data"]


async def test_what_is_preserved_stays_without_our_marks(federation: Federation) -> None:
    await federation.write(A, config_map("a"))
    binding = await federation.bind(A, {"eu-1": None}, preserveResourcesOnDeletion=True)
    await applied(federation, "eu-1", A)
    await federation.delete(binding)

    async def forgotten() -> bool:
        return await federation.order("eu-1", A) is None

    await eventually(forgotten)
    live = federation.members["eu-1"].get("configmaps", "a")
    assert live["data"] == {"a": "1"}
    assert not live["metadata"].get("labels")
    assert not live["metadata"].get("annotations")


async def test_an_override_that_does_not_fit_is_told_and_stops_nobody_else(
    federation: Federation,
) -> None:
    policy = ObjectKey("hanse.dev", "overridepolicies", "shop", "p")
    rules = [
        {
            "targetCluster": {"clusterNames": ["us-1"]},
            "overriders": {"plaintext": [{"path": "/data/a/b", "operator": "add", "value": "x"}]},
        },
        {
            "targetCluster": {"clusterNames": ["eu-1"]},
            "overriders": {"plaintext": [{"path": "/data/eu", "operator": "add", "value": "y"}]},
        },
    ]
    manifest: Manifest = {
        "apiVersion": "hanse.dev/v1alpha1",
        "kind": "OverridePolicy",
        "metadata": {"name": "p", "namespace": "shop", "generation": 1},
        "spec": {"overrideRules": rules},
    }

    async def condition() -> str:
        stored = await federation.store.get(policy)
        assert stored is not None
        conditions = stored.manifest.get("status", {}).get("conditions") or [{}]
        return str(conditions[0].get("status", ""))

    await federation.write(policy, manifest)
    await federation.write(A, config_map("a"))
    await federation.bind(A, {"eu-1": None, "us-1": None})
    await applied(federation, "eu-1", A)
    assert federation.members["eu-1"].get("configmaps", "a")["data"] == {"a": "1", "eu": "y"}

    async def told(status: str) -> bool:
        return await condition() == status

    await eventually(lambda: told("False"))
    assert await federation.order("us-1", A) is None
    assert len(await eventually(lambda: federation.facts("override", "failed"))) == 1
    stored = await federation.store.get(policy)
    assert stored is not None
    repaired = {**stored.manifest, "spec": {"overrideRules": rules[1:]}}
    await federation.write(policy, repaired)
    await applied(federation, "us-1", A)
    await eventually(lambda: told("True"))


async def test_a_member_out_of_reach_delays_no_other_and_catches_up(
    federation: Federation,
) -> None:
    federation.members["us-1"].hangs = True
    await federation.write(A, config_map("a", "1"))
    await federation.bind(A, {"eu-1": None, "us-1": None})
    await applied(federation, "eu-1", A)
    await federation.write(A, config_map("a", "2", generation=2))
    await federation.bind(A, {"eu-1": None, "us-1": None})
    await applied(federation, "eu-1", A, generation=2)
    assert not federation.members["us-1"].get("configmaps", "a")
    federation.members["us-1"].hangs = False
    await applied(federation, "us-1", A, generation=2)
    assert federation.members["us-1"].get("configmaps", "a")["data"] == {"a": "2"}


async def test_a_refusal_is_reported_and_the_next_order_tried_at_once(
    federation: Federation,
) -> None:
    broken = deployment("web", 1)
    broken["spec"]["minReadySeconds"] = "soon"
    await federation.write(WEB, broken)
    await federation.bind(WEB, {"eu-1": 1})

    async def refused() -> bool:
        report = await federation.report("eu-1", WEB)
        return report is not None and report.reason != "" and not report.applied

    await eventually(refused)
    await federation.write(WEB, deployment("web", 1, generation=2))
    await federation.bind(WEB, {"eu-1": 1})
    await applied(federation, "eu-1", WEB, generation=2)


async def test_a_member_that_left_is_forgotten_without_being_asked(
    federation: Federation,
) -> None:
    await federation.write(A, config_map("a"))
    await federation.bind(A, {"eu-1": None, "us-1": None})
    await applied(federation, "us-1", A)
    await applied(federation, "eu-1", A)
    federation.members["us-1"].hangs = True
    await federation.delete(ObjectKey("hanse.dev", "clusters", "", "us-1"))

    async def forgotten() -> bool:
        orders = [await federation.order("us-1", key) for key in (A, SHOP)]
        reports = [await federation.report("us-1", key) for key in (A, SHOP)]
        return not any([*orders, *reports])

    await eventually(forgotten)
    assert await federation.order("eu-1", A) is not None
    assert federation.members["us-1"].get("configmaps", "a")


async def test_a_deletion_is_confirmed_only_when_the_object_is_gone(
    federation: Federation,
) -> None:
    await federation.write(A, config_map("a"))
    binding = await federation.bind(A, {"eu-1": None})
    await applied(federation, "eu-1", A)
    await edit_in(federation, "eu-1", "a", {"metadata": {"finalizers": ["example.org/hold"]}})
    await federation.delete(binding)
    member = federation.members["eu-1"]
    await eventually(lambda: member.get("configmaps", "a")["metadata"].get("deletionTimestamp"))

    async def removing() -> bool:
        report = await federation.report("eu-1", A)
        return report is not None and report.reason == "Removing" and report.present

    await eventually(removing)
    assert await federation.order("eu-1", A) is not None
    await edit_in(federation, "eu-1", "a", {"metadata": {"finalizers": None}})

    async def forgotten() -> bool:
        return await federation.stored_works() == 0

    await eventually(forgotten)


async def test_a_successor_repeats_nothing_and_sees_what_changed_meanwhile() -> None:
    federation = Federation(["eu-1"])
    member = federation.members["eu-1"]
    async with federation.serving(), federation.dispatching():
        async with federation.applying():
            for name in ("a", "b"):
                await federation.write(config_map_key(name), config_map(name))
                await federation.bind(config_map_key(name), {"eu-1": None})
                await applied(federation, "eu-1", config_map_key(name))
            await applied(federation, "eu-1", SHOP, generation=0)
        await edit_in(federation, "eu-1", "b", {"data": {"a": "2"}})
        writes = len(member.written())
        await federation.write(config_map_key("c"), config_map("c"))
        await federation.bind(config_map_key("c"), {"eu-1": None})
        async with federation.applying():
            await applied(federation, "eu-1", config_map_key("c"))
            await eventually(lambda: member.get("configmaps", "b")["data"]["a"] == "1")
        again = member.written()[writes:]
        assert sorted(path.rpartition("/")[2] for path in again) == ["b", "c"]


async def test_an_order_found_at_the_start_and_delivered_too_holds_nothing_up() -> None:
    federation = Federation(["eu-1"])
    async with federation.serving(), federation.dispatching():
        await federation.write(A, config_map("a"))
        await federation.bind(A, {"eu-1": None})

        async def ordered() -> bool:
            return await federation.order("eu-1", A) is not None

        await eventually(ordered)
        # Both orders lie in WORK and wait in the consumer's position.
        async with federation.applying():
            await applied(federation, "eu-1", A)
            await federation.write(config_map_key("b"), config_map("b"))
            await federation.bind(config_map_key("b"), {"eu-1": None})
            await applied(federation, "eu-1", config_map_key("b"))


async def test_a_successor_of_dispatch_revokes_what_was_unbound_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # It bears for a while what it did not order itself: shorter here, to wait less.
    monkeypatch.setattr(lingering, "LINGER", timedelta(seconds=0.3))
    federation = Federation(["eu-1"])
    member = federation.members["eu-1"]
    async with federation.serving(), federation.applying():
        async with federation.dispatching():
            await federation.write(A, config_map("a"))
            binding = await federation.bind(A, {"eu-1": None})
            await applied(federation, "eu-1", A)
        await federation.delete(binding)
        async with federation.dispatching():
            await eventually(lambda: not member.get("configmaps", "a"))

            async def forgotten() -> bool:
                return await federation.stored_works() == 0

            await eventually(forgotten)


async def test_many_objects_at_once_all_arrive_with_hardly_a_call_more_than_needed(
    federation: Federation,
) -> None:
    names = [f"c{number}" for number in range(60)]
    for name in names:
        await federation.write(config_map_key(name), config_map(name))
    async with asyncio.TaskGroup() as group:
        for name in names:
            group.create_task(federation.bind(config_map_key(name), {"eu-1": None, "us-1": None}))
    for name in names:
        await applied(federation, "eu-1", config_map_key(name))
        await applied(federation, "us-1", config_map_key(name))
    for member in federation.members.values():
        assert len(member.written()) == len(names) + 1
        assert not member.written("POST")
