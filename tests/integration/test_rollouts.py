"""Rollouts over a nats-server and simulated members, with every service that has a part in them."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from services.simulator.core.faults import Faults
from shared.api.meta import API_VERSION, GROUP
from shared.apimachinery.manifest import ObjectKey, uid_of
from tests.federation import eventually
from tests.staged_federation import BROKEN, ROLLOUT, WEB, StagedFederation, staged_federation

ONE, TWO, THREE = (f"registry.example/web:{number}" for number in (1, 2, 3))
STAGES: dict[str, Any] = {
    "stages": [
        {"name": "canary", "clusterAffinity": {"clusterNames": ["eu-1"]}},
        {"name": "half", "percentage": 50},
        {"name": "rest", "approval": "Required"},
    ],
    "onFailure": "Rollback",
}
IMPATIENT = {**STAGES, "progressDeadline": "1s"}
"""For what fails: on a busy machine what does not may take long."""

WAITING = {"eu-1": "web:2", "eu-2": "web:2", "us-1": "web:1"}
"""Images when the last stage waits for a yes."""


@pytest.fixture
async def federation(tmp_path: Path) -> AsyncIterator[StagedFederation]:
    """Three members in stages; the first revision is complete once a propagator has run."""
    toleration = timedelta(seconds=1)
    async with staged_federation(tmp_path, "eu-1", "eu-2", "us-1", toleration=toleration) as found:
        await found.place(None)
        await found.deploy(ONE)
        async with found.propagating():
            await eventually(lambda: set(found.images().values()) == {"web:1"}, 30)
            await found.place(STAGES)
            await found.reaches("Complete", target=1)
        yield found


async def test_three_stages_and_an_approval(federation: StagedFederation) -> None:
    async with federation.propagating():
        await federation.deploy(TWO)
        status = await federation.reaches("WaitingForApproval", target=2)
        assert federation.images() == WAITING
        assert status.stage == "rest"
        await federation.approve("rest")
        await federation.reaches("Complete")
        assert set(federation.images().values()) == {"web:2"}
        assert {type(one).__name__ for one in await federation.facts()} == {
            "RolloutStarted",
            "StageReleased",
            "ApprovalRequested",
            "RolloutCompleted",
        }


async def test_an_image_that_fails_is_rolled_back_and_stays_so_until_the_next_change(
    federation: StagedFederation,
) -> None:
    async with federation.propagating():
        await federation.place(IMPATIENT)
        await federation.deploy(BROKEN)
        await eventually(lambda: federation.images()["eu-1"] == "broken:1")
        # Elsewhere a rollout that failed once pushed all replicas into one cluster.
        assert federation.replicas() == {"eu-1": 2, "eu-2": 2, "us-1": 2}
        status = await federation.reaches("RolledBack", target=2)
        assert federation.replicas() == {"eu-1": 2, "eu-2": 2, "us-1": 2}
        assert set(federation.images().values()) == {"web:1"}
        assert "eu-1 (not healthy within 1s)" in status.failure
        written = await federation.store.get(WEB)
        assert written is not None
        assert BROKEN in str(written.manifest), "the template stays as its author wrote it"
        await federation.place(STAGES)
        await federation.deploy(THREE)
        await federation.reaches("WaitingForApproval", target=3)
        names = {type(one).__name__ for one in await federation.facts()}
        assert {"RolloutFailed", "RolloutRolledBack"} <= names


async def test_paused_it_stands_still_and_resumed_it_goes_on(federation: StagedFederation) -> None:
    async with federation.propagating():
        await federation.say(lambda spec: spec.update(paused=True))
        await federation.deploy(TWO)
        await federation.reaches("Paused", target=2)
        assert set(federation.images().values()) == {"web:1"}
        await federation.say(lambda spec: spec.update(paused=False))
        await federation.reaches("WaitingForApproval")
        assert federation.images() == WAITING


async def test_replicas_are_divided_anew_in_the_middle(federation: StagedFederation) -> None:
    async with federation.propagating():
        await federation.deploy(TWO)
        await federation.reaches("WaitingForApproval", target=2)
        await federation.deploy(TWO, replicas=12)
        await eventually(lambda: set(federation.replicas().values()) == {4})
        assert federation.images() == WAITING
        assert federation.status().phase == "WaitingForApproval"
        assert federation.revisions() == [1, 2], "to scale is no new revision"
        await federation.approve("rest")
        await federation.reaches("Complete")
        assert sum(federation.replicas().values()) == 12


async def test_a_member_that_is_lost_is_waited_for_until_its_share_moves(
    federation: StagedFederation,
) -> None:
    async with federation.propagating():
        federation.members["eu-1"].gate.set(Faults(hang=True))
        await federation.deploy(TWO)
        await federation.reaches("WaitingForApproval", target=2, seconds=60)
        assert (federation.status().failure, federation.status().stage) == ("", "canary")
        assert set(federation.images().values()) == {"web:1"}, "the canary has proved nothing"
        await federation.approve("canary")
        await eventually(lambda: federation.status().stage == "rest")
        assert federation.images() == {"eu-1": "web:1", "eu-2": "web:2", "us-1": "web:1"}
        await eventually(lambda: federation.replicas()["eu-2"] == 3)
        await federation.approve("rest")
        await federation.reaches("Complete")
        assert federation.images()["us-1"] == "web:2"
        federation.members["eu-1"].gate.set(Faults())


async def test_an_override_is_part_of_a_revision(federation: StagedFederation) -> None:
    image = {"component": "Tag", "operator": "replace", "value": "near"}
    rule = {
        "targetCluster": {"clusterNames": ["us-1"]},
        "overriders": {"imageOverrider": [image]},
    }
    async with federation.propagating():
        await federation.apply(
            ObjectKey(GROUP, "overridepolicies", "shop", "near"),
            {
                "apiVersion": API_VERSION,
                "kind": "OverridePolicy",
                "metadata": {"name": "near", "namespace": "shop", "uid": "uid-near"},
                "spec": {"overrideRules": [rule]},
            },
        )
        await federation.reaches("WaitingForApproval", target=2)
        assert federation.image("us-1") == ONE
        await federation.approve("rest")
        await federation.reaches("Complete")
        assert federation.images() == {"eu-1": "web:1", "eu-2": "web:1", "us-1": "web:near"}


async def test_a_propagator_that_comes_back_goes_on_where_it_stood(
    federation: StagedFederation,
) -> None:
    async with federation.propagating():
        await federation.deploy(TWO)
        await federation.reaches("WaitingForApproval", target=2)
    await federation.approve("rest")
    async with federation.propagating():
        await federation.reaches("Complete")
        await federation.place(IMPATIENT)
        await federation.deploy(BROKEN)
        await eventually(lambda: federation.images()["eu-1"] == "broken:1")
    async with federation.propagating(), federation.propagating():
        status = await federation.reaches("RolledBack", target=3)
        assert (status.complete_revision, status.previous_revision) == (2, 1)
        assert set(federation.images().values()) == {"web:2"}


async def test_a_rollout_that_is_deleted_knows_again_who_holds_what(
    federation: StagedFederation,
) -> None:
    async with federation.propagating():
        await federation.deploy(TWO)
        before = await federation.reaches("WaitingForApproval", target=2)
        deleted = federation.store.mirror.get(ROLLOUT)
        await federation.delete(ROLLOUT)

        def is_made_anew() -> bool:
            found = federation.store.mirror.get(ROLLOUT)
            return bool(found and deleted and uid_of(found.manifest) != uid_of(deleted.manifest))

        await eventually(is_made_anew)
        await federation.reaches("WaitingForApproval")
        assert federation.images() == WAITING
        held = {one.name: one.revision for one in federation.status().clusters}
        assert held == {one.name: one.revision for one in before.clusters}


async def test_a_policy_without_stages_leaves_no_records(federation: StagedFederation) -> None:
    async with federation.propagating():
        await federation.deploy(TWO)
        await federation.reaches("WaitingForApproval", target=2)
        await federation.place(None)
        await eventually(lambda: set(federation.images().values()) == {"web:2"})
        await eventually(lambda: not federation.revisions())
        assert federation.store.mirror.get(ROLLOUT) is None


async def test_records_go_with_their_template(federation: StagedFederation) -> None:
    async with federation.propagating():
        await federation.deploy(TWO)
        await federation.reaches("WaitingForApproval", target=2)
        await federation.delete(WEB)
        await eventually(lambda: not any(map(federation.live, federation.members)))
        await eventually(lambda: not federation.revisions())
        assert federation.store.mirror.get(ROLLOUT) is None


async def test_old_revisions_go_and_those_in_use_stay(federation: StagedFederation) -> None:
    async with federation.propagating():
        await federation.place({"revisionHistoryLimit": 1})
        for number, image in enumerate((TWO, THREE), 2):
            await federation.deploy(image)
            await federation.reaches("Complete", target=number)
        await eventually(lambda: federation.revisions() == [2, 3])
        await federation.deploy(TWO)
        await federation.reaches("Complete", target=4)
        await eventually(lambda: federation.revisions() == [3, 4])
