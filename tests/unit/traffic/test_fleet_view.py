"""Which changes of the fleet mean anything for traffic."""

from typing import Any

import pytest

from services.traffic.reconcilers.fleet import FleetView, matters
from shared.api.selection import GroupAffinity
from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.store.memory import MemoryStore
from shared.store.port import Change, ChangeType, Revision, Stored

EU = ObjectKey("hanse.dev", "clusters", "", "eu-1")
WELL: Manifest = {
    "metadata": {"name": "eu-1"},
    "spec": {"region": "eu"},
    "status": {"observedTime": "2026-01-01T00:00:00Z"},
}


def change(**later: Any) -> Change:
    before, after = Stored(EU, Revision(1), WELL), Stored(EU, Revision(2), {**WELL, **later})
    return Change(ChangeType.MODIFIED, after, before)


@pytest.mark.parametrize(
    ("later", "means"),
    [
        ({"status": {"observedTime": "2026-01-01T00:01:00Z", "capacity": {}}}, False),
        ({"status": {"conditions": [{"type": "Ready", "status": "False"}]}}, False),
        ({"status": {"taints": [{"key": "a", "effect": "NoExecute"}]}}, True),
        ({"status": {"latencies": [{"region": "us", "milliseconds": 9}]}}, True),
        ({"spec": {"region": "us"}}, True),
        ({"metadata": {"name": "eu-1", "labels": {"a": "b"}}}, True),
        ({"metadata": {"name": "eu-1", "deletionTimestamp": "2026-01-01T00:00:00Z"}}, True),
    ],
)
def test_what_a_member_says_of_itself_all_the_time_wakes_nobody(
    later: dict[str, Any], *, means: bool
) -> None:
    assert matters(change(**later)) is means


async def test_the_view_follows_clusters_and_groups() -> None:
    store = MemoryStore()
    view = FleetView(store.mirror)
    gold = GroupAffinity(cluster_groups=("gold",))
    assert view.now().covered(GroupAffinity()) == set()
    await store.create(EU, WELL)
    assert view.now().covered(GroupAffinity()) == {"eu-1"}
    assert view.now().covered(gold) == set()
    group = {"metadata": {"name": "gold"}, "spec": {"clusterNames": ["eu-1"]}}
    await store.create(ObjectKey("hanse.dev", "clustergroups", "", "gold"), group)
    assert view.now().covered(gold) == {"eu-1"}
    # What cannot be read is not there.
    await store.create(EU._replace(name="us-1"), {"metadata": {"name": "us-1"}, "spec": 3})
    assert view.now().covered(GroupAffinity()) == {"eu-1"}
    assert view.now() is view.now()
