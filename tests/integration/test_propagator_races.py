"""What holds when others move faster: members that change, workers and dispatchers beside us."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta

from aiohttp import web

from services.propagator.core.marks import applied_entry, work_generation_of
from shared.apimachinery.manifest import GroupVersionKind, Manifest, ObjectKey, copy, encode
from shared.bus.memory import MemoryBus
from shared.events.orders import MANAGED_LABEL, WORK_GENERATION
from shared.memberapi.http import open_member
from shared.memberapi.port import ResourceType
from tests.federation import Federation, TestMember, config_map, config_map_key, eventually

CONFIG_MAPS = ResourceType(GroupVersionKind("", "v1", "ConfigMap"), "configmaps", namespaced=True)
A = config_map_key("a")
FIELDS = ("apiVersion", "kind", "data")


async def share(federation: Federation, value: str = "1", generation: int = 1) -> ObjectKey:
    await federation.write(A, config_map("a", value, generation=generation))
    return await federation.bind(A, {"eu-1": None})


async def reported(federation: Federation, generation: int = 1) -> bool:
    """Whether the last report is of the last order, of the template's *generation*."""
    report, order = await federation.report("eu-1", A), await federation.order("eu-1", A)
    live = federation.members["eu-1"].get("configmaps", "a")
    return (
        report is not None
        and order is not None
        and report.applied
        and report.present
        and report.template_generation == order.template_generation == generation
        and report.generation == work_generation_of(live)
    )


def value_in(member: TestMember) -> str:
    return str((member.get("configmaps", "a").get("data") or {}).get("a", ""))


async def delete_seen_by_watchers(member: TestMember) -> None:
    """Delete the object by force, and return once a watch has shown it."""
    async with open_member(member.credentials(), name="watcher") as api:
        stored = await member.store.get(A)
        assert stored is not None
        watch = api.watch(CONFIG_MAPS, resource_version=str(stored.revision))
        async with watch as events, asyncio.timeout(20):
            await member.store.delete(A, stored.manifest, expected=stored.revision)
            async for event in events:
                if event.type == "DELETED":
                    return


async def test_what_is_deleted_before_the_answer_to_its_apply_is_put_back() -> None:
    federation = Federation(["eu-1"])
    member = federation.members["eu-1"]
    uids = []

    async def delete_once(method: str, path: str) -> None:
        if method == "PATCH" and path.endswith("/a") and not uids:
            uids.append(member.get("configmaps", "a")["metadata"]["uid"])
            await delete_seen_by_watchers(member)

    async with federation.serving(), federation.dispatching(), federation.applying():
        await share(federation)
        await eventually(lambda: reported(federation))
        member.answers_after = delete_once
        await share(federation, "2", generation=2)
        await eventually(lambda: uids)

        def is_another() -> bool:
            metadata = member.get("configmaps", "a").get("metadata") or {"uid": uids[0]}
            return bool(metadata["uid"] != uids[0])

        await eventually(is_another)
        assert value_in(member) == "2"
        await eventually(lambda: reported(federation, 2))


async def test_what_ends_while_it_is_ordered_again_is_put_back() -> None:
    federation = Federation(["eu-1"])
    member = federation.members["eu-1"]
    ended = []

    async def end_once(method: str, path: str) -> None:
        if method == "PATCH" and path.endswith("/a") and not ended:
            ended.append(path)
            await delete_seen_by_watchers(member)

    async with federation.serving(), federation.dispatching(), federation.applying():
        binding = await share(federation)
        await eventually(lambda: reported(federation))
        async with open_member(member.credentials(), name="somebody") as api:
            held: Manifest = {"metadata": {"finalizers": ["example.org/hold"]}}
            assert await api.merge(CONFIG_MAPS, "shop", "a", held)
        await federation.delete(binding)
        await eventually(lambda: member.get("configmaps", "a")["metadata"].get("deletionTimestamp"))
        member.answers_after = end_once
        await share(federation, "2", generation=2)
        await eventually(lambda: ended)
        await eventually(lambda: value_in(member) == "2")
        await eventually(lambda: reported(federation, 2))


async def test_what_a_late_worker_wrote_is_put_right() -> None:
    federation = Federation(["eu-1"])
    member = federation.members["eu-1"]
    async with federation.serving(), federation.dispatching(), federation.applying():
        await share(federation)
        await eventually(lambda: reported(federation))
        old = copy(member.get("configmaps", "a"))
        await share(federation, "2", generation=2)
        await eventually(lambda: reported(federation, 2))
        metadata = {name: old["metadata"][name] for name in ("name", "namespace", "annotations")}
        metadata["labels"] = {MANAGED_LABEL: "true"}
        late = {name: old[name] for name in FIELDS} | {"metadata": metadata}
        async with open_member(member.credentials(), name="late") as api:
            answer = await api.apply(CONFIG_MAPS, "shop", "a", encode(late))
        assert answer["data"] == {"a": "1"}
        before, after = applied_entry(old), applied_entry(answer)
        assert before is not None
        assert after is not None
        assert before["fieldsV1"] == after["fieldsV1"]
        await eventually(lambda: value_in(member) == "2")
        await eventually(lambda: reported(federation, 2))


async def test_a_mark_of_a_later_order_hides_no_edit() -> None:
    federation = Federation(["eu-1"])
    member = federation.members["eu-1"]
    async with federation.serving(), federation.dispatching(), federation.applying():
        await share(federation)
        await eventually(lambda: reported(federation))
        edit: Manifest = {
            "metadata": {"annotations": {WORK_GENERATION: "999999"}},
            "data": {"a": "theirs"},
        }
        async with open_member(member.credentials(), name="somebody") as api:
            assert await api.merge(CONFIG_MAPS, "shop", "a", edit)
        await eventually(lambda: value_in(member) == "1")
        await eventually(lambda: reported(federation))


async def test_a_second_worker_speaks_of_the_newest_order_only() -> None:
    federation = Federation(["eu-1"])
    member = federation.members["eu-1"]
    async with federation.serving(), federation.dispatching(), federation.applying():
        await share(federation)
        await eventually(lambda: reported(federation))
        async with federation.applying() as second:
            await eventually(lambda: second.workers)
            for generation in (2, 3):
                await share(federation, str(generation), generation=generation)
                await eventually(lambda generation=generation: reported(federation, generation))
            async with open_member(member.credentials(), name="somebody") as api:
                seen: Manifest = {"metadata": {"annotations": {"example.org/seen": "1"}}}
                assert await api.merge(CONFIG_MAPS, "shop", "a", seen)
            await eventually(lambda: all(one.idle for one in second.workers.values()))
            assert await reported(federation, 3)


async def test_a_worker_that_takes_over_cares_for_what_it_was_never_told() -> None:
    federation = Federation(["eu-1"])
    member = federation.members["eu-1"]
    async with federation.serving(), federation.dispatching(), AsyncExitStack() as first:
        workers = await first.enter_async_context(federation.applying())
        await eventually(lambda: workers.workers)
        async with federation.applying(resync=timedelta(milliseconds=50)) as second:
            await eventually(lambda: second.workers)
            await share(federation)
            await eventually(lambda: reported(federation))
            await first.aclose()
            edit: Manifest = {"data": {"a": "theirs"}}
            async with open_member(member.credentials(), name="somebody") as api:
                assert await api.merge(CONFIG_MAPS, "shop", "a", edit)
            await eventually(lambda: value_in(member) == "1")
            await eventually(lambda: reported(federation))


async def test_a_worker_that_stands_by_looks_again_and_does_nothing_twice() -> None:
    bus = MemoryBus()
    federation = Federation(["eu-1"], bus=bus)
    member = federation.members["eu-1"]
    async with federation.serving(), federation.dispatching(), federation.applying() as first:
        await eventually(lambda: first.workers)
        async with federation.applying() as second:
            await eventually(lambda: second.workers)
            await share(federation)
            await eventually(lambda: reported(federation))
            await eventually(lambda: all(one.idle for one in first.workers.values()))
            listed, applied = (len(member.written(verb)) for verb in ("GET", "PATCH"))
            bus.interrupt()
            # It watches the kind from then on.
            await eventually(lambda: len(member.written("GET")) > listed)
            await eventually(lambda: all(one.idle for one in second.workers.values()))
            assert len(member.written("PATCH")) == applied


async def test_what_lost_our_label_is_removed_all_the_same() -> None:
    federation = Federation(["eu-1"])
    member = federation.members["eu-1"]
    async with federation.serving(), federation.dispatching():
        # It keeps the namespace, which would take along all that is in it.
        other = config_map_key("b")
        await federation.write(other, config_map("b"))
        await federation.bind(other, {"eu-1": None})
        async with federation.applying():
            binding = await share(federation)
            await eventually(lambda: reported(federation))
        async with open_member(member.credentials(), name="somebody") as api:
            bare: Manifest = {"metadata": {"labels": {MANAGED_LABEL: None}}}
            assert await api.merge(CONFIG_MAPS, "shop", "a", bare)
        await federation.delete(binding)
        async with federation.applying():
            await eventually(lambda: not member.get("configmaps", "a"))
            assert member.get("namespaces", "shop", "")


async def test_who_may_not_look_says_of_nothing_that_it_is_gone() -> None:
    federation = Federation(["eu-1"])
    member = federation.members["eu-1"]

    async def fail(_method: str, path: str) -> None:
        if path.endswith("/a"):
            raise web.HTTPInternalServerError

    async def refused() -> bool:
        report = await federation.report("eu-1", A)
        return report is not None and not report.applied and report.present

    async with federation.serving(), federation.dispatching():
        async with federation.applying():
            binding = await share(federation)
            await eventually(lambda: reported(federation))
        member.answers_after = fail
        await federation.delete(binding)
        async with federation.applying():
            await eventually(refused)


async def test_two_dispatchers_agree_that_nothing_is_left() -> None:
    federation = Federation(["eu-1"])
    member = federation.members["eu-1"]
    namespace = ObjectKey("", "namespaces", "", "shop")
    async with (
        federation.serving(),
        federation.dispatching() as first,
        federation.dispatching() as second,
        federation.applying(),
    ):
        binding = await share(federation)
        await eventually(lambda: reported(federation))
        await federation.delete(binding)
        for dispatcher in (first, second):
            for key in (A, namespace):
                await eventually(lambda log=dispatcher.log, key=key: not log.of(key))
        assert not member.get("namespaces", "shop", "")
        assert await federation.stored_works() == 0


async def test_nothing_is_put_into_another_cluster_than_the_one_that_joined() -> None:
    federation = Federation(["eu-1"])
    member = federation.members["eu-1"]
    cluster = ObjectKey("hanse.dev", "clusters", "", "eu-1")
    async with federation.serving(), federation.dispatching():
        stored = await federation.store.get(cluster)
        assert stored is not None
        await federation.write(cluster, {**stored.manifest, "status": {"id": "another"}})
        await share(federation)
        async with federation.applying():
            asked = "/api/v1/namespaces/kube-system"
            await eventually(lambda: member.requests.count(("GET", asked)) >= 2)
            assert {method for method, _ in member.requests} == {"GET"}
            assert not member.get("configmaps", "a")
            uid = member.get("namespaces", "kube-system", "")["metadata"]["uid"]
            await federation.write(cluster, {**stored.manifest, "status": {"id": uid}})
            await eventually(lambda: reported(federation))
