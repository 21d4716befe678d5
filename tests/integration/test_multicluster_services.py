"""Services of members known in others: from the hub's export to a lost member, over real NATS."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from msgspec.json import decode as decode_overview
from msgspec.json import encode as encode_json

from hanse.commands.services import text_of
from services.traffic.core.catalogue import ServiceName
from shared.api.meta import GROUP
from shared.api.multicluster import export_key, import_key
from shared.apimachinery.manifest import GroupVersionKind, Manifest, ObjectKey, copy
from shared.bus.port import CaughtUp, Message
from shared.bus.topology import ENDPOINTS, EVENTS, WORK
from shared.events import subjects
from shared.events.exports import decode_namespaces
from shared.events.requests import API_SERVICES
from shared.events.service_facts import (
    ServiceExportRefused,
    ServiceFact,
    decode_service_fact,
    type_of,
)
from shared.events.services import ServicesOverview
from shared.events.subjects import encode_token
from shared.events.work import is_end
from shared.memberapi.http import open_member
from shared.memberapi.port import ResourceType
from tests.traffic_ground import AP, EU, US, TrafficGround, traffic_ground, trafficking

pytestmark = pytest.mark.asyncio(loop_scope="module")

ALL = (EU, US, AP)
DEFINITIONS = ResourceType(
    GroupVersionKind("apiextensions.k8s.io", "v1", "CustomResourceDefinition"),
    "customresourcedefinitions",
    namespaced=False,
)
PROFILE = ObjectKey("multicluster.x-k8s.io", "clusterprofiles", "hanse-system", EU)


_number = itertools.count()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def members(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TrafficGround]:
    async with traffic_ground(tmp_path_factory.mktemp("services"), *ALL) as found:
        yield found


@pytest.fixture
def ground(members: TrafficGround) -> TrafficGround:
    """Shared; each test has a service of its own."""
    members.name = f"web-{next(_number)}"
    return members


@pytest_asyncio.fixture(loop_scope="module")
async def alone(tmp_path: Path) -> AsyncIterator[TrafficGround]:
    """For tests of which members as a whole are different afterwards."""
    async with traffic_ground(tmp_path, *ALL) as found:
        yield found


def hub_export(name: str) -> Manifest:
    return {
        "apiVersion": "multicluster.x-k8s.io/v1beta1",
        "kind": "ServiceExport",
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": "u-hub",
            "generation": 1,
            "creationTimestamp": "2026-01-01T00:00:00Z",
        },
    }


async def exported_everywhere(ground: TrafficGround) -> None:
    for number, member in enumerate(ALL, start=1):
        await ground.service(member)
        await ground.endpoints(member, f"10.{number}.0.1")
    await ground.write(export_key("shop", ground.name), hub_export(ground.name))
    everything = {"10.1.0.1", "10.2.0.1", "10.3.0.1"}
    await ground.until(lambda: all(ground.reached(one) == everything for one in ALL))


def hub_condition(ground: TrafficGround, kind: str) -> tuple[str, str]:
    stored = ground.store.mirror.get(export_key("shop", ground.name))
    status = (stored.manifest.get("status") or {}) if stored is not None else {}
    for one in status.get("conditions") or ():
        if one["type"] == kind:
            return one["status"], one["reason"]
    return "", ""


async def left_over(ground: TrafficGround) -> list[str]:
    """Subjects of WORK and ENDPOINTS that speak of something that is to be there."""
    found = []
    for stream, filters in ((WORK, "hanse.work.>"), (ENDPOINTS, "hanse.endpoints.>")):
        async with ground.bus.follow(stream, [filters]) as messages:
            async for message in messages:
                if isinstance(message, CaughtUp):
                    break
                if message.body and not is_end(message.headers):
                    found.append(message.subject)
    return found


async def test_an_export_at_the_hub_is_one_of_every_member_that_has_the_service(
    ground: TrafficGround,
) -> None:
    await ground.service(EU)
    await ground.endpoints(EU, "10.1.0.1")
    await ground.write(export_key("shop", ground.name), hub_export(ground.name))
    await ground.until(lambda: all(ground.reached(one) == {"10.1.0.1"} for one in ALL))
    await ground.until(lambda: hub_condition(ground, "Ready") == ("True", "Exported"))
    at_hub = ground.store.mirror.get(import_key("shop", ground.name))
    assert at_hub is not None
    assert at_hub.manifest["status"]["clusters"] == [{"cluster": EU}]
    # What comes later counts as well.
    await ground.service(US)
    await ground.endpoints(US, "10.2.0.1")
    await ground.until(lambda: ground.reached(AP) == {"10.1.0.1", "10.2.0.1"})
    await ground.delete(export_key("shop", ground.name))
    await ground.until(lambda: not any(ground.imported(one) for one in ALL))
    await ground.until(lambda: ground.store.mirror.get(import_key("shop", ground.name)) is None)


async def test_an_export_at_the_hub_without_a_service_says_so(ground: TrafficGround) -> None:
    await ground.write(export_key("shop", ground.name), hub_export(ground.name))
    await ground.until(lambda: hub_condition(ground, "Valid") == ("False", "NoService"))
    assert ground.store.mirror.get(import_key("shop", ground.name)) is None


async def test_what_becomes_of_exports_is_told_as_facts(ground: TrafficGround) -> None:
    await ground.export(EU)
    await ground.until(lambda: ground.condition(EU, "Valid") == ("False", "NoService"))
    for member in (EU, US):
        await ground.service(member)
    await ground.export(US, exportedLabels={"a": "b"})
    await ground.until(lambda: ground.condition(US, "Conflict")[0] == "True")
    for member in (EU, US):
        await ground.unexport(member)

    async def told() -> dict[str, ServiceFact]:
        found = {}
        filters = [f"hanse.events.service.*.{encode_token(f'shop/{ground.name}')}"]
        async with ground.bus.follow(EVENTS, filters) as messages:
            async for message in messages:
                if isinstance(message, CaughtUp):
                    break
                fact = decode_service_fact(message.body)
                found[type_of(fact).split(".")[1]] = fact
        return found

    expected = {"imported", "conflicted", "withdrawn", "export-refused"}

    async def complete() -> bool:
        return (await told()).keys() == expected

    await ground.until(complete)


async def test_a_word_that_cannot_be_read_is_told_and_everything_else_flows(
    ground: TrafficGround,
) -> None:
    await exported_everywhere(ground)
    subject = subjects.endpoints(EU, "shop", ground.name)
    for body in (b'{"type":"service.reported.v1","service":{"ports":[{"port":70000}]}}', b"<html>"):
        await ground.bus.publish(Message(subject, body))

    async def told() -> bool:
        facts = await ground.facts("service", "export-refused")
        found = [decode_service_fact(one) for one in facts]
        mine = [one for one in found if one.name == ground.name]
        return any(
            isinstance(one, ServiceExportRefused)
            and (one.cluster, one.reason) == (EU, "Unreadable")
            for one in mine
        )

    await ground.until(told)
    # What was known of it stands, others go on, and its next word counts.
    assert ground.reached(AP) == {"10.1.0.1", "10.2.0.1", "10.3.0.1"}
    await ground.endpoints(US, "10.2.0.2")
    await ground.until(lambda: ground.reached(AP) == {"10.1.0.1", "10.2.0.2", "10.3.0.1"})
    await ground.endpoints(EU, "10.1.0.2")
    await ground.until(lambda: ground.reached(AP) == {"10.1.0.2", "10.2.0.2", "10.3.0.1"})


async def test_endpoints_follow_their_source(ground: TrafficGround) -> None:
    await exported_everywhere(ground)
    await ground.endpoints(EU, "10.1.0.1", "10.1.0.2")
    await ground.until(lambda: "10.1.0.2" in ground.reached(AP))
    await ground.endpoints(EU, "10.1.0.2", ready=False)
    await ground.until(lambda: ground.reached(AP) == {"10.2.0.1", "10.3.0.1"})
    terminating = ground.slices(AP)[EU]["endpoints"]
    assert [one["addresses"] for one in terminating] == [["10.1.0.2"]]


async def test_a_lost_member_is_withdrawn_by_verdict_and_is_back_with_it(
    alone: TrafficGround,
) -> None:
    await exported_everywhere(alone)
    # That it does not answer is no verdict.
    alone.members[EU].hangs = True
    await alone.endpoints(US, "10.2.0.1", "10.2.0.2")
    await alone.until(lambda: "10.2.0.2" in alone.reached(AP))
    assert "10.1.0.1" in alone.reached(AP)
    await alone.lose(EU)
    await alone.until(lambda: alone.reached(AP) == {"10.2.0.1", "10.2.0.2", "10.3.0.1"})
    alone.members[EU].hangs = False
    await alone.lose(EU, ())
    await alone.until(lambda: "10.1.0.1" in alone.reached(AP))
    # Its own clients were never sent away from its own endpoints.
    assert "10.1.0.1" in alone.reached(EU)


async def test_a_member_without_the_namespace_imports_nothing_until_it_has_it(
    alone: TrafficGround,
) -> None:
    await alone.take(AP, ObjectKey("", "namespaces", "", "shop"))
    await alone.service(EU)
    await alone.endpoints(EU, "10.1.0.1")
    await alone.export(EU)
    await alone.until(lambda: alone.reached(US) == {"10.1.0.1"})
    assert not alone.imported(AP)
    place = ObjectKey("", "namespaces", "", "shop")
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "uid": "n"}}
    await alone.put(AP, place, manifest)
    await alone.until(lambda: alone.reached(AP) == {"10.1.0.1"})


async def told_namespaces(ground: TrafficGround, member: str) -> tuple[str, ...]:
    last = await ground.bus.last(ENDPOINTS, subjects.namespaces(member))
    return decode_namespaces(last.body).namespaces if last is not None else ()


async def test_a_namespace_is_told_of_for_as_long_as_something_is_imported_there(
    tmp_path: Path,
) -> None:
    async with traffic_ground(tmp_path, *ALL, working=False) as ground:
        async with trafficking(ground):
            await exported_everywhere(ground)
        # Nobody is there to bring back what somebody deletes at the hub: members keep it.
        await ground.delete(import_key("shop", ground.name))
        await ground.endpoints(US, "10.2.0.2")

        async def heard() -> bool:
            subject = subjects.slice_endpoints(US, "shop", ground.name, f"{ground.name}-x1")
            last = await ground.bus.last(ENDPOINTS, subject)
            return last is not None and b"10.2.0.2" in last.body

        await ground.until(heard)
        assert await told_namespaces(ground, US) == ("shop",)
        async with trafficking(ground):
            await ground.until(lambda: "10.2.0.2" in ground.reached(AP))
            await ground.delete(export_key("shop", ground.name))

            async def forgotten() -> bool:
                return await told_namespaces(ground, US) == ()

            await ground.until(forgotten)
        assert not ground.derived(US)


async def test_what_a_member_has_of_its_own_is_left_alone(ground: TrafficGround) -> None:
    own = {
        "apiVersion": "multicluster.x-k8s.io/v1beta1",
        "kind": "ServiceImport",
        "metadata": {"name": ground.name, "namespace": "shop", "uid": "own"},
        "spec": {"type": "Headless", "ports": []},
    }
    await ground.put(US, import_key("shop", ground.name), own)
    await ground.service(EU)
    await ground.export(EU)
    await ground.until(lambda: ground.imported(AP))
    await ground.until(lambda: ground.traffic.known.orders.troubles)
    assert ground.spec(US) == {"type": "Headless", "ports": []}
    # Nor does anybody say in it what is so of another one.
    await ground.until(lambda: ground.imported(AP).get("status"))
    assert "status" not in ground.imported(US)
    said = "imported by 2 members, but not by us-1"
    mirror, key = ground.members[EU].store.mirror, export_key("shop", ground.name)
    await ground.until(lambda: (found := mirror.get(key)) and said in str(found.manifest))


async def test_a_service_that_others_label_as_derived_is_not_taken_for_ours(
    ground: TrafficGround,
) -> None:
    await exported_everywhere(ground)
    own = await ground.until(lambda: ground.derived(US)["spec"].get("clusterIP"))
    await ground.until(lambda: ground.spec(US).get("ips") == [own])
    labels = {"multicluster.kubernetes.io/service-name": ground.name, "hanse.dev/managed": "true"}
    await ground.put(
        US,
        ObjectKey("", "services", "shop", f"a-{ground.name}"),
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": f"a-{ground.name}", "namespace": "shop", "labels": labels},
            "spec": {"clusterIP": "10.96.0.99", "clusterIPs": ["10.96.0.99"]},
        },
    )
    # What comes after it was seen says that it changed nothing.
    await ground.endpoints(US, "10.2.0.7")
    await ground.until(lambda: "10.2.0.7" in ground.reached(EU))
    service = ground.traffic.catalogue.get(ServiceName("shop", ground.name))
    assert service is not None
    assert service.ips_by_cluster[US] == (own,)


async def test_what_nobody_says_any_more_is_not_taken_back(tmp_path: Path) -> None:
    async with traffic_ground(tmp_path, *ALL, working=False) as ground:
        async with trafficking(ground):
            await exported_everywhere(ground)
        before = copy(ground.slices(AP)[EU])
        # The stream is lost, as far as one member's word goes, and whoever takes over knows less.
        for subject in (subjects.endpoints(EU, "shop", "web"), subjects.namespaces(EU)):
            message = await ground.bus.last(ENDPOINTS, subject)
            assert message is not None
            await ground.bus.purge(ENDPOINTS, subject, up_to=message.sequence)
        async with trafficking(ground):
            await ground.endpoints(US, "10.2.0.9")
            await ground.until(lambda: "10.2.0.9" in ground.reached(AP))
            assert ground.slices(AP)[EU]["endpoints"] == before["endpoints"]
            assert ground.reached(EU) >= {"10.1.0.1"}


async def test_who_leaves_is_forgotten_and_its_endpoints_go(alone: TrafficGround) -> None:
    await exported_everywhere(alone)
    await alone.delete(ObjectKey(GROUP, "clusters", "", EU))
    await alone.until(lambda: alone.reached(AP) == {"10.2.0.1", "10.3.0.1"})

    async def forgotten() -> bool:
        return not any(f".{EU}." in subject for subject in await left_over(alone))

    await alone.until(forgotten)
    await alone.until(lambda: alone.store.mirror.get(PROFILE) is None)


async def test_who_prepares_to_leave_gives_back_what_came_from_others_and_keeps_the_rest(
    alone: TrafficGround,
) -> None:
    await exported_everywhere(alone)
    await alone.leave(EU, "Keep")

    async def forgotten() -> bool:
        return not any(
            subject.startswith(f"hanse.work.{EU}.") for subject in await left_over(alone)
        )

    await alone.until(forgotten)
    assert not alone.imported(EU)
    assert not alone.derived(EU)
    assert not alone.slices(EU)
    store = alone.members[EU].store.mirror
    assert store.get(ObjectKey("", "services", "shop", alone.name)), "its own"
    assert store.get(_definition("serviceexports")), "users may have exports of their own there"
    about = ObjectKey("about.k8s.io", "clusterproperties", "", "cluster.clusterset.k8s.io")
    assert store.get(about) is None, "true of members only"
    # For as long as it is one, others go on reaching it.
    assert alone.reached(AP) == {"10.1.0.1", "10.2.0.1", "10.3.0.1"}
    # And it may change its mind.
    await alone.leave(EU, "")
    await alone.until(lambda: alone.reached(EU) == {"10.1.0.1", "10.2.0.1", "10.3.0.1"})


async def test_members_are_published(ground: TrafficGround) -> None:
    profile = await ground.until(lambda: ground.store.mirror.get(PROFILE))
    assert profile.manifest["spec"] == {"displayName": EU, "clusterManager": {"name": "hanse"}}
    named = {one["name"]: one["value"] for one in profile.manifest["status"]["properties"]}
    assert named["cluster.clusterset.k8s.io"] == EU
    assert named["hanse.dev/region"] == EU


async def test_members_get_the_standards_kinds_with_the_first_export(tmp_path: Path) -> None:
    async with traffic_ground(tmp_path, EU, US, installed=False) as ground:
        for member in (EU, US):
            place = ObjectKey("", "namespaces", "", "shop")
            manifest = {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": "shop", "uid": "n"},
            }
            await ground.put(member, place, manifest)
        await ground.service(EU)
        await ground.endpoints(EU, "10.1.0.1")
        assert not ground.members[US].store.mirror.get(_definition("serviceimports"))
        await ground.write(export_key("shop", ground.name), hub_export(ground.name))
        await ground.until(lambda: ground.reached(US) == {"10.1.0.1"}, 30)
        key = ObjectKey("about.k8s.io", "clusterproperties", "", "cluster.clusterset.k8s.io")
        found = await ground.until(lambda: ground.members[US].store.mirror.get(key), 30)
        assert found.manifest["spec"] == {"value": US}
        # Who installs another version of the standard keeps that; our mark shows that we looked.
        newer: Manifest = {"spec": {"names": {"shortNames": ["newer"]}}}
        marked = {"metadata": {"annotations": {"hanse.dev/template-uid": "theirs"}}}
        key = _definition("serviceimports")
        async with open_member(ground.members[US].credentials(), name="somebody") as api:
            assert await api.merge(
                DEFINITIONS, "", key.name, {**newer, **marked}, manager="kubectl"
            )

        def looked_at() -> Manifest:
            found = ground.members[US].store.mirror.get(key)
            assert found is not None
            mark = found.manifest["metadata"]["annotations"]["hanse.dev/template-uid"]
            return found.manifest if mark != "theirs" else {}

        told = await ground.until(looked_at)
        assert told["spec"]["names"]["shortNames"] == ["newer"]
        # What it was given once it keeps, for there may be exports of its own.
        await ground.delete(export_key("shop", ground.name))
        await ground.until(lambda: not ground.imported(US))
        assert ground.members[US].store.mirror.get(_definition("serviceimports"))


def _definition(resource: str) -> ObjectKey:
    name = f"{resource}.multicluster.x-k8s.io"
    return ObjectKey("apiextensions.k8s.io", "customresourcedefinitions", "", name)


async def test_what_is_in_the_way_is_told_and_shown(alone: TrafficGround) -> None:
    corefile = {"Corefile": ".:53 {\n  forward . /etc/resolv.conf\n}\n"}
    coredns = ObjectKey("", "configmaps", "kube-system", "coredns")
    manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "coredns", "namespace": "kube-system", "uid": "dns"},
        "data": corefile,
    }
    await alone.put(EU, coredns, manifest)
    for member in (EU, US):
        await alone.service(member)
        await alone.endpoints(member, "10.1.0.1")
        await alone.export(member)

    def reasons() -> set[str]:
        stored = alone.store.mirror.get(PROFILE)
        status = (stored.manifest.get("status") or {}) if stored is not None else {}
        conditions = status.get("conditions") or ()
        return {one["reason"] for one in conditions if one["status"] == "False"}

    await alone.until(lambda: reasons() >= {"AddressesShared", "NotForwarded"})
    asked = encode_json({"namespace": "shop"})

    async def overview() -> ServicesOverview:
        answer = await alone.bus.request(API_SERVICES, asked, deadline=timedelta(seconds=5))
        return decode_overview(answer, type=ServicesOverview)

    async with asyncio.timeout(20):
        # Each member says by itself that it has taken the import.
        while (found := await overview()).services[0].importers != tuple(sorted(ALL)):
            await asyncio.sleep(0.02)
    [service] = found.services
    assert [(one.cluster, one.ready, one.share) for one in service.exporters] == [
        (EU, 1, 0.5),
        (US, 1, 0.5),
    ]
    assert any("10.1.0.1 in us-1" in one for one in found.warnings)
    shown = "\n".join(text_of(found))
    assert "shop/web" in shown
    assert "hanse dns stub" in shown
