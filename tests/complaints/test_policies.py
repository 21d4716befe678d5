"""Policies and interpreters that hurt: rows 28 and 35 of docs/complaints.md."""

from typing import Any

from shared.api.meta import API_VERSION, GROUP
from shared.apimachinery.manifest import Manifest, ObjectKey
from tests.complaints.witness import witnessing
from tests.federation import (
    Federation,
    config_map,
    config_map_key,
    deployment,
    deployment_key,
    eventually,
)
from tests.scheduled_federation import a_policy, apply, policy_key, replicas

WEB = deployment_key("web")
SETTINGS = config_map_key("settings")
INTERPRETER = ObjectKey(GROUP, "resourceinterpreters", "", "needs")
DEPLOYMENTS = {"apiVersion": "apps/v1", "kind": "Deployment"}
DIVIDED = {"replicaScheduling": {"replicaSchedulingType": "Divided"}}
NEEDED = "object.metadata.annotations.needs"


def web(count: int, **annotations: str) -> Manifest:
    found = deployment("web", count)
    found["metadata"]["annotations"] = annotations
    return found


async def test_row_28_what_an_interpreter_cannot_tell_is_not_nothing(
    scheduled: Federation,
) -> None:
    """Objects were deleted because an interpreter's error counted as an empty answer.

    That was karmada#5188 and #6523.
    """
    names = {"apiVersion": "v1", "kind": "ConfigMap", "expression": f"[{NEEDED}]"}
    await apply(
        scheduled,
        INTERPRETER,
        {
            "apiVersion": API_VERSION,
            "kind": "ResourceInterpreter",
            "metadata": {},
            "spec": {
                "target": DEPLOYMENTS,
                "customizations": {"dependencyInterpretation": {"references": [names]}},
            },
        },
    )
    eu = scheduled.members["eu-1"]
    await apply(scheduled, SETTINGS, config_map("settings"))
    await apply(scheduled, policy_key("p"), a_policy(DEPLOYMENTS, clusters=("eu-1",)))
    await apply(scheduled, WEB, web(1, needs="settings"))
    await eventually(lambda: eu.get("configmaps", "settings"))
    with witnessing({"eu-1": eu.store.mirror}) as witness:
        # Now nobody can tell what it needs, and there is a change to carry out.
        await apply(scheduled, WEB, web(2))
        await eventually(lambda: replicas(scheduled) == {"eu-1": 2})
        await apply(scheduled, SETTINGS, config_map("settings", "2"))
        await eventually(lambda: eu.get("configmaps", "settings")["data"]["a"] == "2")
        assert witness.deleted == []
    await apply(scheduled, WEB, web(2, needs="others"))
    await eventually(lambda: not eu.get("configmaps", "settings"))


async def test_row_35_another_policy_that_says_the_same_moves_nothing(
    scheduled: Federation,
) -> None:
    """Switching policies rescheduled what they select (karmada#7253, #4602)."""
    await apply(scheduled, policy_key("old"), a_policy(DEPLOYMENTS, placement=DIVIDED))
    await apply(scheduled, WEB, web(5))
    await eventually(lambda: sum(replicas(scheduled).values()) == 5)
    mirrors = {name: one.store.mirror for name, one in scheduled.members.items()}
    with witnessing(mirrors) as witness:
        orders = [await scheduled.order(name, WEB) for name in scheduled.members]
        # One that speaks more closely takes over, then the old one goes.
        closer = {**DEPLOYMENTS, "name": "web"}
        await apply(scheduled, policy_key("new"), a_policy(closer, placement=DIVIDED))
        await eventually(lambda: policy_of(scheduled) == "new")
        await scheduled.delete(policy_key("old"))
        # Whatever that set off comes before this.
        await apply(scheduled, SETTINGS, config_map("settings"))
        await apply(scheduled, policy_key("s"), a_policy({"apiVersion": "v1", "kind": "ConfigMap"}))
        await eventually(
            lambda: all(one.get("configmaps", "settings") for one in scheduled.members.values())
        )
        assert [await scheduled.order(name, WEB) for name in scheduled.members] == orders
    assert witness.deleted == []
    assert witness.replicas == {}


def policy_of(federation: Federation) -> Any:
    key = ObjectKey(GROUP, "resourcebindings", "shop", "web-deployment")
    stored = federation.store.mirror.get(key)
    return stored.manifest["spec"]["policy"]["name"] if stored is not None else None
