"""What Hanse believes of a member's API, asked of a real kube-apiserver."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from services.propagator.core.drift import lost_fields
from services.propagator.core.marks import MANAGED_SELECTOR, UNMANAGED_SELECTOR, fill_generation
from services.propagator.core.observed import observe
from services.propagator.core.render import render
from shared.apimachinery.manifest import GroupVersionKind, Manifest, encode
from shared.errors import MemberRefused, MemberUnreachable
from shared.events.orders import stamp
from shared.interpreter.registry import GENERIC
from shared.memberapi.credentials import MemberCredentials
from shared.memberapi.http import HttpMemberApi, open_member
from shared.memberapi.port import MemberEvent, ResourceType
from tests.kube_apiserver import find_assets, run_kube_apiserver

pytestmark = pytest.mark.kube_apiserver

NAMESPACES = ResourceType(GroupVersionKind("", "v1", "Namespace"), "namespaces", namespaced=False)
CONFIG_MAPS = ResourceType(GroupVersionKind("", "v1", "ConfigMap"), "configmaps", namespaced=True)
DEPLOYMENTS = ResourceType(
    GroupVersionKind("apps", "v1", "Deployment"), "deployments", namespaced=True
)


@pytest.fixture(scope="module")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MemberCredentials]:
    find_assets()
    with run_kube_apiserver(tmp_path_factory.mktemp("kube-apiserver")) as found:
        yield found


@pytest.fixture
async def api(credentials: MemberCredentials) -> AsyncIterator[HttpMemberApi]:
    async with open_member(credentials, name="real") as found:
        yield found


def a_config_map(name: str, value: str = "1") -> Manifest:
    metadata = {"name": name, "namespace": "default", "labels": {"app": name}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": value}}


def body_of(manifest: Manifest, sequence: int) -> bytes:
    return fill_generation(encode(stamp(render(manifest, GENERIC), "u")), sequence)


async def next_event(events: AsyncIterator[MemberEvent], kind: str, name: str) -> MemberEvent:
    async with asyncio.timeout(20):
        async for event in events:
            if event.type == kind and event.manifest["metadata"]["name"] == name:
                return event
    raise AssertionError("the watch ended")


async def test_it_tells_what_it_serves(api: HttpMemberApi) -> None:
    found = await api.discover()
    assert {CONFIG_MAPS, DEPLOYMENTS, NAMESPACES} <= set(found)
    assert not [one for one in found if "/" in one.resource]


async def test_what_is_applied_bears_our_marks_and_applying_again_changes_nothing(
    api: HttpMemberApi,
) -> None:
    body = body_of(a_config_map("marks"), 7)
    first = observe(await api.apply(CONFIG_MAPS, "default", "marks", body))
    assert (first.work_generation, first.labelled) == (7, True)
    assert first.fields_digest
    assert observe(await api.apply(CONFIG_MAPS, "default", "marks", body)) == first


async def test_an_edit_changes_our_fields_and_names_its_author(api: HttpMemberApi) -> None:
    manifest = a_config_map("edited")
    applied = await api.apply(CONFIG_MAPS, "default", "edited", body_of(manifest, 1))
    entry = {"metadata": {"labels": {"other": "x"}}}
    assert await api.merge(CONFIG_MAPS, "default", "edited", entry)
    live = await api.get(CONFIG_MAPS, "default", "edited")
    assert live is not None
    assert observe(live).fields_digest == observe(applied).fields_digest
    await api.merge(CONFIG_MAPS, "default", "edited", {"data": {"a": "2"}})
    live = await api.get(CONFIG_MAPS, "default", "edited")
    assert live is not None
    assert observe(live).fields_digest != observe(applied).fields_digest
    assert [one.path for one in lost_fields(manifest, live)] == [".data.a"]
    again = await api.apply(CONFIG_MAPS, "default", "edited", body_of(manifest, 1))
    assert again["data"] == {"a": "1"}
    assert observe(again).fields_digest == observe(applied).fields_digest


async def test_the_watch_shows_a_life_from_the_list_on(api: HttpMemberApi) -> None:
    listing = await api.list(CONFIG_MAPS, label_selector=MANAGED_SELECTOR)
    watch = api.watch(
        CONFIG_MAPS,
        resource_version=listing.resource_version,
        label_selector=MANAGED_SELECTOR,
    )
    async with watch as events:
        applied = await api.apply(CONFIG_MAPS, "default", "life", body_of(a_config_map("life"), 1))
        added = await next_event(events, "ADDED", "life")
        assert observe(added.manifest) == observe(applied)
        await api.apply(CONFIG_MAPS, "default", "life", body_of(a_config_map("life", "2"), 2))
        modified = await next_event(events, "MODIFIED", "life")
        assert observe(modified.manifest).work_generation == 2
        uid = observe(applied).uid
        assert await api.delete(CONFIG_MAPS, "default", "life", uid=uid, propagation="Background")
        deleted = await next_event(events, "DELETED", "life")
        assert observe(deleted.manifest).uid == uid
    assert not await api.delete(CONFIG_MAPS, "default", "life", uid=uid, propagation="Background")


async def test_a_list_of_the_unmarked_leaves_ours_out(api: HttpMemberApi) -> None:
    await api.apply(CONFIG_MAPS, "default", "ours", body_of(a_config_map("ours"), 1))
    theirs = {**a_config_map("theirs"), "metadata": {"name": "theirs", "namespace": "default"}}
    await api.create(CONFIG_MAPS, "default", theirs)
    found = await api.list(CONFIG_MAPS, namespace="default", label_selector=UNMANAGED_SELECTOR)
    names = {item["metadata"]["name"] for item in found.items}
    assert "theirs" in names
    assert "ours" not in names


async def test_the_uid_guards_a_successor_of_the_same_name(api: HttpMemberApi) -> None:
    await api.apply(CONFIG_MAPS, "default", "reborn", body_of(a_config_map("reborn"), 1))
    assert not await api.delete(
        CONFIG_MAPS, "default", "reborn", uid="another", propagation="Background"
    )
    assert await api.get(CONFIG_MAPS, "default", "reborn") is not None


async def test_refusals_say_why(api: HttpMemberApi, credentials: MemberCredentials) -> None:
    orphan = {**a_config_map("a"), "metadata": {"name": "a", "namespace": "nowhere"}}
    with pytest.raises(MemberRefused) as missing:
        await api.apply(CONFIG_MAPS, "nowhere", "a", body_of(orphan, 1))
    assert (missing.value.status, missing.value.reason) == (404, "NotFound")
    broken = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}}
    with pytest.raises(MemberRefused) as invalid:
        await api.apply(DEPLOYMENTS, "default", "a", body_of(broken, 1))
    assert invalid.value.status in (400, 422)
    stranger = MemberCredentials(
        server=credentials.server,
        certificate_authority=credentials.certificate_authority,
        token="unknown",
    )
    async with open_member(stranger, name="real") as refused:
        with pytest.raises(MemberRefused) as unauthorized:
            await refused.get(CONFIG_MAPS, "default", "a")
    assert unauthorized.value.status == 401
    distrusted = MemberCredentials(server=credentials.server, token=credentials.token)
    async with open_member(distrusted, name="real") as unsafe:
        with pytest.raises(MemberUnreachable, match="certificate is not trusted"):
            await unsafe.get(CONFIG_MAPS, "default", "a")


async def test_a_watch_from_the_distant_past_is_begun_anew_or_refused_with_410(
    api: HttpMemberApi,
) -> None:
    try:
        async with asyncio.timeout(20), api.watch(CONFIG_MAPS, resource_version="1") as events:
            assert (await anext(events)).type == "ADDED"
    except MemberRefused as err:
        assert err.status == 410  # noqa: PT017 - either answer is right.
