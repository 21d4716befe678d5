"""Members that are cut off, and come back: rows 1 to 4 of docs/complaints.md."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path

from services.simulator.core.faults import Faults
from shared.api.meta import API_VERSION, GROUP
from shared.apimachinery.manifest import Manifest, ObjectKey, uid_of
from shared.store.port import Mirror
from tests.complaints.witness import witnessing
from tests.federation import (
    Federation,
    config_map,
    config_map_key,
    eventually,
)
from tests.staged_federation import StagedFederation, staged_federation

NAMES = ("a", "b", "c")
SETTINGS = config_map_key("settings")
OVERRIDE = ObjectKey(GROUP, "overridepolicies", "shop", "o")
CLUSTER = ObjectKey(GROUP, "clusters", "", "eu-1")
FOR_EVER = [{"operator": "Exists"}]
ONE = "registry.example/web:1"


# The worker was away.


async def order_all(federation: Federation, generation: int = 1) -> list[ObjectKey]:
    bindings = []
    for name in NAMES:
        manifest = config_map(name, str(generation), generation=generation)
        await federation.write(config_map_key(name), manifest)
        bindings.append(await federation.bind(config_map_key(name), {"eu-1": None}))
    return bindings


async def all_applied(federation: Federation, generation: int = 1) -> None:
    async def hold() -> bool:
        reports = [await federation.report("eu-1", config_map_key(name)) for name in NAMES]
        return all(
            one is not None and one.applied and one.template_generation == generation
            for one in reports
        )

    await eventually(hold)


def uids(federation: Federation) -> list[str]:
    return [uid_of(federation.members["eu-1"].get("configmaps", name)) for name in NAMES]


async def test_row_1_a_worker_that_was_away_carries_out_no_delete_that_was_taken_back(
    unattended: Federation,
) -> None:
    """A pull agent restarted and deleted everything its member ran (karmada#5406).

    While it was away the objects had been deleted and wanted again; it worked off the deletes.
    """
    async with unattended.applying():
        bindings = await order_all(unattended)
        await all_applied(unattended)
    before = uids(unattended)
    for binding in bindings:
        await unattended.delete(binding)

    async def all_revoked() -> bool:
        orders = [await unattended.order("eu-1", config_map_key(name)) for name in NAMES]
        return all(one is not None and one.is_tombstone for one in orders)

    await eventually(all_revoked)
    await order_all(unattended, 2)
    async with unattended.applying():
        await all_applied(unattended, 2)
    assert uids(unattended) == before
    assert not unattended.members["eu-1"].written("DELETE")


async def test_row_1_a_worker_that_was_away_while_its_member_left_and_joined_deletes_nothing(
    unattended: Federation,
) -> None:
    """The same (karmada#5406), where the member was taken out of the federation meanwhile."""
    member = unattended.members["eu-1"]
    async with unattended.applying():
        await order_all(unattended)
        await all_applied(unattended)
    before = uids(unattended)
    await unattended.delete(CLUSTER)

    async def nothing_is_ordered() -> bool:
        return await unattended.stored_works() == 0

    await eventually(nothing_is_ordered)
    async with unattended.applying():
        await unattended.register(member)
        await order_all(unattended, 2)
        await all_applied(unattended, 2)
    assert uids(unattended) == before
    assert not member.written("DELETE")


# The member was cut off, for longer than anybody bears.


def mirrors(federation: StagedFederation) -> dict[str, Mirror]:
    return {name: one.cluster.store.mirror for name, one in federation.members.items()}


@asynccontextmanager
async def fleet(folder: Path) -> AsyncIterator[StagedFederation]:
    async with AsyncExitStack() as stack:
        federation = await stack.enter_async_context(
            staged_federation(folder, "eu-1", "us-1", toleration=timedelta(milliseconds=200))
        )
        await stack.enter_async_context(federation.propagating())
        yield federation


def is_tainted(federation: StagedFederation) -> bool:
    stored = federation.store.mirror.get(CLUSTER)
    assert stored is not None
    return bool((stored.manifest.get("status") or {}).get("taints"))


async def cut(federation: StagedFederation) -> None:
    """Let nothing through to eu-1 until everybody has noticed."""
    federation.members["eu-1"].gate.set(Faults(error_rate=1.0, status=502))
    await eventually(lambda: is_tainted(federation), 30)


async def mend(federation: StagedFederation) -> None:
    federation.members["eu-1"].gate.set(Faults())
    await eventually(lambda: not is_tainted(federation), 30)


def an_override(tag: str) -> Manifest:
    image = {"component": "Tag", "operator": "replace", "value": tag}
    return {
        "apiVersion": API_VERSION,
        "kind": "OverridePolicy",
        "metadata": {"name": "o", "namespace": "shop", "uid": "uid-o"},
        "spec": {"overrideRules": [{"overriders": {"imageOverrider": [image]}}]},
    }


def spec_of(federation: StagedFederation, binding: str) -> Manifest:
    stored = federation.store.mirror.get(ObjectKey(GROUP, "resourcebindings", "shop", binding))
    return stored.manifest["spec"] if stored is not None else {}


async def borne_no_longer(federation: StagedFederation, binding: str) -> None:
    """Wait until eu-1 would be given up for another, were there one."""
    key = ObjectKey(GROUP, "resourcebindings", "shop", binding)

    def is_said() -> bool:
        stored = federation.store.mirror.get(key)
        assert stored is not None
        return any(
            one["type"] == "Scheduled" and "not tolerated any longer" in one["message"]
            for one in stored.manifest["status"]["conditions"]
        )

    await eventually(is_said, 30)


def is_placed(federation: StagedFederation, binding: str) -> bool:
    spec = spec_of(federation, binding)
    return bool(spec.get("clusters")) and not spec.get("evictions")


async def test_row_2_what_was_edited_while_the_network_was_cut_arrives_and_nothing_goes(
    tmp_path: Path,
) -> None:
    """Once the network was back, what ran there was deleted (karmada#2364).

    It should have been changed to what its override had come to say meanwhile.
    """
    async with fleet(tmp_path) as federation:
        await federation.place(None, clusterAffinity={"clusterNames": ["eu-1"]})
        await federation.apply(OVERRIDE, an_override("one"))
        await federation.deploy(ONE)
        await eventually(lambda: federation.image("eu-1").endswith(":one"))
        with witnessing(mirrors(federation)) as witness:
            await cut(federation)
            await borne_no_longer(federation, "web-deployment")
            await federation.apply(OVERRIDE, an_override("two"))
            await mend(federation)
            await eventually(lambda: federation.image("eu-1").endswith(":two"), 30)
            await eventually(lambda: is_placed(federation, "web-deployment"))
        assert witness.deleted == []
        assert set(witness.replicas["eu-1"]) == {6}


async def test_row_3_what_is_pinned_to_a_member_outlives_its_silence(tmp_path: Path) -> None:
    """A member was not ready for hours and came back; its configuration was gone (karmada#5150).

    The policy names it, so nothing else could take its place: no fit is no reason to remove.
    """
    async with fleet(tmp_path) as federation:
        await federation.apply(
            ObjectKey(GROUP, "propagationpolicies", "shop", "pinned"),
            {
                "apiVersion": API_VERSION,
                "kind": "PropagationPolicy",
                "metadata": {"name": "pinned", "namespace": "shop", "uid": "uid-pinned"},
                "spec": {
                    "resourceSelectors": [{"apiVersion": "v1", "kind": "ConfigMap"}],
                    "placement": {"clusterAffinity": {"clusterNames": ["eu-1", "us-1"]}},
                },
            },
        )
        await federation.apply(SETTINGS, config_map("settings"))
        await eventually(lambda: all(one.get(SETTINGS) for one in mirrors(federation).values()))
        with witnessing(mirrors(federation)) as witness:
            await cut(federation)
            await borne_no_longer(federation, "settings-configmap")
            await mend(federation)
            await eventually(lambda: is_placed(federation, "settings-configmap"), 30)
            # What is changed now arrives after everything that was meant for it meanwhile.
            await federation.apply(SETTINGS, config_map("settings", "2"))
            await eventually(lambda: value_in(federation, "eu-1") == "2")
        assert witness.deleted == []


def value_in(federation: StagedFederation, cluster: str) -> str:
    stored = mirrors(federation)[cluster].get(SETTINGS)
    return str(stored.manifest["data"]["a"]) if stored is not None else ""


async def test_row_4_scaling_up_takes_nothing_from_a_silent_member_that_is_borne(
    tmp_path: Path,
) -> None:
    """With failover off, scaling up removed replicas from the sick cluster (karmada#1640, #1383).

    Its pods may well run: its share stays as it is, and what is added goes elsewhere until it is
    back.
    """
    async with fleet(tmp_path) as federation:
        divided = {"replicaSchedulingType": "Divided"}
        await federation.place(None, replicaScheduling=divided, clusterTolerations=FOR_EVER)
        await federation.deploy(ONE, replicas=4)
        await eventually(lambda: federation.replicas() == {"eu-1": 2, "us-1": 2})
        with witnessing(mirrors(federation)) as witness:
            await cut(federation)
            await federation.deploy(ONE, replicas=9)
            await eventually(lambda: federation.replicas()["us-1"] == 7)
            assert federation.replicas()["eu-1"] == 2
            await mend(federation)
            await eventually(lambda: sorted(federation.replicas().values()) == [4, 5], 30)
        assert witness.deleted == []
        seen = witness.replicas["eu-1"]
        assert seen == sorted(seen), "it never shrinks"
