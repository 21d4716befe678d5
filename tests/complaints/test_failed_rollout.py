"""Changes that reach everything at once, or move what they break: rows 35 and 39 of
docs/complaints.md."""

from pathlib import Path

from shared.api.binding import ResourceBinding
from shared.api.meta import API_VERSION, GROUP, read
from shared.apimachinery.manifest import ObjectKey
from tests.federation import eventually
from tests.staged_federation import BROKEN, StagedFederation, staged_federation

ONE = "registry.example/web:1"
EVEN = {"eu-1": 3, "us-1": 3}
BY_ROOM = {
    "replicaScheduling": {
        "replicaSchedulingType": "Divided",
        "weightPreference": {"dynamicWeight": "AvailableReplicas"},
    }
}


async def settled(federation: StagedFederation) -> None:
    await federation.deploy(ONE)
    await eventually(lambda: federation.images() == {"eu-1": "web:1", "us-1": "web:1"}, 30)
    await eventually(lambda: federation.replicas() == EVEN)


def is_told_of(federation: StagedFederation, *, generation: int) -> bool:
    """Whether the binding tells what every member makes of that generation of the template."""
    key = ObjectKey(GROUP, "resourcebindings", "shop", "web-deployment")
    stored = federation.store.mirror.get(key)
    assert stored is not None
    reports = read(stored.manifest, ResourceBinding).status.aggregated_status
    return {one.template_generation for one in reports} == {generation}


async def test_row_39_a_change_that_fails_moves_no_replicas(tmp_path: Path) -> None:
    async with staged_federation(tmp_path, "eu-1", "us-1") as federation, federation.propagating():
        await federation.place(None, **BY_ROOM)
        await settled(federation)
        await federation.deploy(BROKEN)
        await eventually(lambda: set(federation.images().values()) == {"broken:1"})
        await eventually(lambda: is_told_of(federation, generation=2))
        # The next decision is made by reports of pods that do not run.
        await federation.deploy(BROKEN, replicas=8)
        await eventually(lambda: sum(federation.replicas().values()) == 8)
        assert min(federation.replicas().values()) >= 3
        # The same with a way back.
        await settled(federation)
        rollout = {"onFailure": "Rollback", "progressDeadline": "1s"}
        await federation.place(rollout, **BY_ROOM)
        await federation.reaches("Complete")
        await federation.deploy(BROKEN)
        await federation.reaches("RolledBack")
        assert federation.replicas() == EVEN
        assert federation.images() == {"eu-1": "web:1", "us-1": "web:1"}


async def test_row_35_an_edit_of_an_override_policy_does_not_hit_every_cluster_at_once(
    tmp_path: Path,
) -> None:
    async with staged_federation(tmp_path, "eu-1", "us-1") as federation, federation.propagating():
        await federation.place({"maxConcurrency": 1, "progressDeadline": "5s"})
        await settled(federation)
        await federation.reaches("Complete")
        image = {"component": "Repository", "operator": "replace", "value": "broken"}
        rule = {"overriders": {"imageOverrider": [image]}}
        await federation.apply(
            ObjectKey(GROUP, "overridepolicies", "shop", "p"),
            {
                "apiVersion": API_VERSION,
                "kind": "OverridePolicy",
                "metadata": {"name": "p", "namespace": "shop", "uid": "uid-o"},
                "spec": {"overrideRules": [rule]},
            },
        )
        await federation.reaches("Failed")
        assert federation.images() == {"eu-1": "broken:1", "us-1": "web:1"}
