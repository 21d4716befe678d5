"""What Karmada's own suite tries of propagation and no other test here does, in our words.

Each docstring names the file of its test/e2e/suites/base.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from shared.api.meta import API_VERSION, GROUP
from shared.apimachinery.manifest import Manifest, ObjectKey
from tests.complaints.witness import witnessing
from tests.federation import (
    Federation,
    TestMember,
    config_map,
    config_map_key,
    deployment,
    deployment_key,
    eventually,
)
from tests.scheduled_federation import (
    a_policy,
    apply,
    become_ready,
    policy_key,
    replicas,
    scheduled_federation,
)

A, B, WEB = config_map_key("a"), config_map_key("b"), deployment_key("web")
SHOP = ObjectKey("", "namespaces", "", "shop")
DEPLOYMENTS = {"apiVersion": "apps/v1", "kind": "Deployment"}
CONFIG_MAPS = {"apiVersion": "v1", "kind": "ConfigMap"}
DIVIDED = {"replicaScheduling": {"replicaSchedulingType": "Divided"}}


@pytest.fixture
async def federation(tmp_path: Path) -> AsyncIterator[Federation]:
    async with scheduled_federation(tmp_path, "eu-1", "us-1") as found:
        yield found


def holders(federation: Federation, key: ObjectKey) -> set[str]:
    return {
        name
        for name, member in federation.members.items()
        if member.get(key.resource, key.name, key.namespace, key.group)
    }


def data(federation: Federation, key: ObjectKey = A) -> dict[str, str]:
    """The text in each member that holds the ConfigMap."""
    return {
        name: federation.members[name].get("configmaps", key.name)["data"]["a"]
        for name in holders(federation, key)
    }


def an_override(value: str, **spec: Any) -> Manifest:
    patch = {"path": "/data/a", "operator": "replace", "value": value}
    return {
        "apiVersion": API_VERSION,
        "kind": "OverridePolicy",
        "metadata": {},
        "spec": {"overrideRules": [{"overriders": {"plaintext": [patch]}}], **spec},
    }


async def test_a_policy_that_selects_something_else_takes_back_what_it_selected(
    federation: Federation,
) -> None:
    """propagationpolicy_test.go: edit the selectors of a policy."""
    await apply(federation, A, config_map("a"))
    await apply(federation, B, config_map("b"))
    await apply(federation, policy_key("p"), a_policy({**CONFIG_MAPS, "name": "a"}))
    await eventually(lambda: holders(federation, A) == {"eu-1", "us-1"})
    assert holders(federation, B) == set()
    await apply(federation, policy_key("p"), a_policy({**CONFIG_MAPS, "name": "b"}))
    await eventually(lambda: holders(federation, B) == {"eu-1", "us-1"})
    await eventually(lambda: holders(federation, A) == set())
    assert await federation.store.get(A) is not None


async def test_what_is_to_be_kept_is_kept_though_that_was_said_afterwards(
    federation: Federation,
) -> None:
    """migration_and_rollback_test.go: preserve what runs, then take everything back."""
    await apply(federation, A, config_map("a"))
    await apply(federation, policy_key("p"), a_policy(CONFIG_MAPS))
    await eventually(lambda: holders(federation, A) == {"eu-1", "us-1"})
    kept = a_policy(CONFIG_MAPS, preserveResourcesOnDeletion=True)
    await apply(federation, policy_key("p"), kept)

    async def is_ordered() -> bool:
        orders = [await federation.order(name, A) for name in federation.members]
        return all(one is not None and one.preserve_on_deletion for one in orders)

    await eventually(is_ordered)
    await federation.delete(policy_key("p"))
    await federation.delete(A)

    async def is_forgotten() -> bool:
        return not [name for name in federation.members if await federation.order(name, A)]

    await eventually(is_forgotten)
    for member in federation.members.values():
        live = member.get("configmaps", "a")
        assert live["data"] == {"a": "1"}
        assert "hanse.dev/managed" not in (live["metadata"].get("labels") or {})
        assert member.get("namespaces", "shop", "")


async def test_names_may_be_as_long_as_names_are(federation: Federation) -> None:
    """propagationpolicy_test.go: a name of more than 63 characters."""
    long = "x" * 240 + ".settings"
    key = config_map_key(long)
    await apply(federation, key, config_map(long))
    await apply(federation, policy_key("p" * 250), a_policy(CONFIG_MAPS, clusters=("eu-1",)))
    await eventually(lambda: holders(federation, key) == {"eu-1"})
    await federation.delete(key)
    await eventually(lambda: holders(federation, key) == set())


async def test_an_override_that_comes_later_changes_what_is_there_and_gives_it_back(
    federation: Federation,
) -> None:
    """overridepolicy_test.go: a policy created after the object, without selectors; deleted."""
    override = ObjectKey(GROUP, "overridepolicies", "shop", "o")
    await apply(federation, A, config_map("a"))
    await apply(federation, policy_key("p"), a_policy(CONFIG_MAPS))
    await eventually(lambda: data(federation) == {"eu-1": "1", "us-1": "1"})
    mirrors = {name: one.store.mirror for name, one in federation.members.items()}
    with witnessing(mirrors) as witness:
        await apply(federation, override, an_override("theirs"))
        await eventually(lambda: data(federation) == {"eu-1": "theirs", "us-1": "theirs"})
        await federation.delete(override)
        await eventually(lambda: data(federation) == {"eu-1": "1", "us-1": "1"})
    assert witness.deleted == []


async def test_a_namespace_may_be_overridden_like_anything(federation: Federation) -> None:
    """clusteroverridepolicy_test.go: a label on a Namespace, in some clusters."""
    override = ObjectKey(GROUP, "clusteroverridepolicies", "", "o")
    namespace = {"apiVersion": "v1", "kind": "Namespace"}
    labels = {"labelsOverrider": [{"operator": "add", "value": {"zone": "${cluster.name}"}}]}
    rule = {"targetCluster": {"clusterNames": ["us-1"]}, "overriders": labels}
    await apply(
        federation,
        override,
        {
            "apiVersion": API_VERSION,
            "kind": "ClusterOverridePolicy",
            "metadata": {},
            "spec": {"resourceSelectors": [{**namespace, "name": "shop"}], "overrideRules": [rule]},
        },
    )
    await apply(federation, SHOP, {**namespace, "metadata": {}})
    await apply(federation, policy_key("p", ""), a_policy(namespace))
    await eventually(lambda: holders(federation, SHOP) == {"eu-1", "us-1"})
    zones = {
        name: one.get("namespaces", "shop", "")["metadata"]["labels"].get("zone")
        for name, one in federation.members.items()
    }
    assert zones == {"eu-1": None, "us-1": "us-1"}


async def test_a_cluster_that_joins_gets_its_copy_and_one_that_leaves_loses_its_share(
    federation: Federation,
) -> None:
    """rescheduling_test.go and namespace_test.go: join and unjoin, Duplicated and Divided."""
    await apply(federation, A, config_map("a"))
    await apply(federation, WEB, deployment("web", 6))
    await apply(federation, policy_key("a"), a_policy(CONFIG_MAPS))
    await apply(federation, policy_key("web"), a_policy(DEPLOYMENTS, placement=DIVIDED))
    await eventually(lambda: replicas(federation) == {"eu-1": 3, "us-1": 3})
    late = TestMember("ap-1")
    async with late.serve():
        federation.members["ap-1"] = late
        await federation.register(late)
        await become_ready(federation, late)
        await eventually(lambda: data(federation) == {"eu-1": "1", "us-1": "1", "ap-1": "1"})
        assert "ap-1" in holders(federation, SHOP)
        await federation.delete(ObjectKey(GROUP, "clusters", "", "us-1"))
        await eventually(lambda: ordered_in(federation, "us-1") == set())
        await eventually(lambda: {**replicas(federation), "us-1": 0} == SHARED)
        assert holders(federation, WEB) == {"eu-1", "us-1", "ap-1"}, "it took its own along"


SHARED = {"eu-1": 3, "us-1": 0, "ap-1": 3}


def ordered_in(federation: Federation, cluster: str) -> set[str]:
    bindings = [
        one.manifest
        for one in federation.store.mirror.items()
        if one.key.resource == "resourcebindings"
    ]
    return {
        one["metadata"]["name"]
        for one in bindings
        if cluster in [target["name"] for target in one["spec"]["clusters"]]
    }


async def test_a_closer_policy_takes_over_in_place_and_hands_back(federation: Federation) -> None:
    """preemption_test.go: a policy of the namespace over one of the cluster, and gone again."""
    wide = a_policy(CONFIG_MAPS, clusters=("eu-1",))
    await apply(federation, policy_key("wide", ""), wide)
    await apply(federation, A, config_map("a"))
    await eventually(lambda: holders(federation, A) == {"eu-1"})
    eu = federation.members["eu-1"]
    with witnessing({"eu-1": eu.store.mirror}) as witness:
        await apply(federation, policy_key("close"), a_policy(CONFIG_MAPS))
        await eventually(lambda: holders(federation, A) == {"eu-1", "us-1"})
        await federation.delete(policy_key("close"))
        # From where it leaves it goes once somebody has seen the other copy well.
        await eventually(lambda: not ordered_in(federation, "us-1"))
        assert ordered_in(federation, "eu-1")
    assert witness.deleted == []


async def test_what_has_no_namespace_goes_where_its_policy_says(federation: Federation) -> None:
    """clusterpropagationpolicy_test.go: a ClusterRole, other clusters, and no policy at all."""
    group = "rbac.authorization.k8s.io"
    key = ObjectKey(group, "clusterroles", "", "reader")
    role = {"apiVersion": f"{group}/v1", "kind": "ClusterRole", "metadata": {}, "rules": []}
    select = {"apiVersion": f"{group}/v1", "kind": "ClusterRole", "name": "reader"}
    await apply(federation, key, role)
    await apply(federation, policy_key("p", ""), a_policy(select, clusters=("eu-1",)))
    await eventually(lambda: holders(federation, key) == {"eu-1"})
    await apply(federation, policy_key("p", ""), a_policy(select, clusters=("us-1",)))
    await eventually(lambda: "us-1" in holders(federation, key))
    await federation.delete(policy_key("p", ""))
    await eventually(lambda: holders(federation, key) == set())
    assert await federation.store.get(key) is not None


async def test_scaled_to_nothing_it_is_still_there_and_comes_back(federation: Federation) -> None:
    """deploymentreplicassyncer_test.go: to zero, to one, and up again."""
    await apply(federation, policy_key("p"), a_policy(DEPLOYMENTS, placement=DIVIDED))
    mirrors = {name: one.store.mirror for name, one in federation.members.items()}
    with witnessing(mirrors) as witness:
        for count, shares in ((4, {2}), (0, {0}), (4, {2})):
            await apply(federation, WEB, deployment("web", count))
            await eventually(
                lambda shares=shares: (
                    set(replicas(federation).values()) == shares and len(replicas(federation)) == 2
                )
            )
    assert witness.deleted == []


async def test_a_cluster_that_is_labelled_otherwise_gets_other_things(
    federation: Federation,
) -> None:
    """clusteraffinities_test.go and rescheduling_test.go: labels of clusters change."""
    chosen = {"clusterAffinity": {"labelSelector": {"matchLabels": {"name": "eu-1"}}}}
    await apply(federation, A, config_map("a"))
    await apply(federation, policy_key("p"), a_policy(CONFIG_MAPS, placement=chosen))
    await eventually(lambda: holders(federation, A) == {"eu-1"})
    key = ObjectKey(GROUP, "clusters", "", "us-1")
    stored = await federation.store.get(key)
    assert stored is not None
    metadata = {**stored.manifest["metadata"], "labels": {"name": "eu-1"}}
    await federation.write(key, {**stored.manifest, "metadata": metadata})
    await eventually(lambda: holders(federation, A) == {"eu-1", "us-1"})
