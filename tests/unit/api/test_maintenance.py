"""Maintenance windows: a member takes nothing new in them, and is emptied where it says so."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.api.cluster import Cluster, MaintenanceWindow
from shared.api.maintenance import maintenance_at
from shared.api.meta import read
from shared.apiserver.rules.clusters import check_cluster
from tests.unit.scheduler.scheduler_world import (
    SchedulerWorld,
    a_cluster,
    a_deployment,
    a_policy,
    divided,
)

MONDAY = datetime(2026, 3, 2, 22, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
WEB = a_deployment(replicas=4)


def a_window(repeat="", *, evict=False, hours=2):
    end = MONDAY + hours * HOUR
    return MaintenanceWindow(
        start=MONDAY.isoformat(), end=end.isoformat(), repeat=repeat, evict=evict
    )


@pytest.mark.parametrize(
    ("window", "at", "effects", "changes_at"),
    [
        (a_window(), MONDAY - HOUR, [], MONDAY),
        (a_window(), MONDAY, ["NoSchedule"], MONDAY + 2 * HOUR),
        (a_window(evict=True), MONDAY + HOUR, ["NoExecute"], MONDAY + 2 * HOUR),
        (a_window(), MONDAY + 2 * HOUR, [], None),
        (a_window("Daily"), MONDAY + 25 * HOUR, ["NoSchedule"], MONDAY + 26 * HOUR),
        (a_window("Daily"), MONDAY + 27 * HOUR, [], MONDAY + 48 * HOUR),
        (a_window("Weekly"), MONDAY + 25 * HOUR, [], MONDAY + 168 * HOUR),
        (a_window("Weekly"), MONDAY + 10 * 168 * HOUR, ["NoSchedule"], MONDAY + 1682 * HOUR),
        (MaintenanceWindow(start="soon", end="later"), MONDAY, [], None),
    ],
)
def test_a_window_is_open_for_its_time_and_again(window, at, effects, changes_at):
    found = maintenance_at([window], at)
    assert [one.effect for one in found.taints] == effects
    assert found.changes_at == changes_at


def test_of_two_open_windows_the_stricter_counts():
    found = maintenance_at([a_window(), a_window(evict=True, hours=1)], MONDAY)
    assert [one.effect for one in found.taints] == ["NoExecute"]
    assert found.changes_at == MONDAY + HOUR


@pytest.mark.parametrize(
    ("window", "words"),
    [
        ({"start": "today", "end": "2026-03-02T22:00:00Z"}, "spec.maintenanceWindows[0].start"),
        ({"start": "2026-03-02T22:00:00Z", "end": "2026-03-02T22:00:00Z"}, "after the start"),
        (
            {
                "start": "2026-03-02T22:00:00Z",
                "end": "2026-03-04T22:00:00Z",
                "repeat": "Daily",
            },
            "before it is repeated",
        ),
    ],
)
def test_windows_that_make_no_sense_are_refused(window, words):
    manifest = a_cluster("eu", maintenanceWindows=[window])
    (fault,) = check_cluster(read(manifest, Cluster))
    assert words in str(fault)


async def a_world(**window: object):
    world = SchedulerWorld()
    world.clock.moment = MONDAY - HOUR
    stated = {
        "start": MONDAY.isoformat(),
        "end": (MONDAY + 2 * HOUR).isoformat(),
        **window,
    }
    await world.put(a_cluster("eu", maintenanceWindows=[stated]), a_cluster("us"))
    await world.put(a_policy(replicaScheduling=divided()), WEB)
    await world.settle()
    assert world.shares(WEB) == {"eu": 2, "us": 2}
    return world


async def pass_to(world, moment):
    world.clock.moment = moment
    world.federation.pass_time()
    await world.settle()


async def test_in_a_window_nothing_new_comes_and_afterwards_it_does():
    world = await a_world()
    await pass_to(world, MONDAY)
    assert world.shares(WEB) == {"eu": 2, "us": 2}
    other = a_deployment("other")
    await world.put(other)
    await world.settle()
    assert world.shares(other) == {"us": 3}
    assert "cluster.hanse.dev/maintenance:NoSchedule" in world.condition(other).message
    await pass_to(world, MONDAY + 2 * HOUR)
    assert set(world.shares(other)) == {"eu", "us"}


async def test_a_window_that_evicts_empties_the_member_and_gives_it_back():
    world = await a_world(evict=True)
    await world.report(WEB, eu=2, us=2)
    await pass_to(world, MONDAY + HOUR)
    assert world.shares(WEB) == {"us": 4}
    assert world.leaving(WEB) == {"eu": 2}
    await world.report(WEB, us=4)
    assert world.leaving(WEB) == {}
    await pass_to(world, MONDAY + 3 * HOUR)
    assert set(world.shares(WEB)) == {"eu", "us"}


async def test_who_tolerates_maintenance_stays():
    world = await a_world(evict=True)
    tolerant = a_policy(
        replicaScheduling=divided(),
        clusterTolerations=[{"key": "cluster.hanse.dev/maintenance", "operator": "Exists"}],
    )
    tolerant["metadata"]["generation"] = 2
    await world.put(tolerant)
    await pass_to(world, MONDAY + HOUR)
    assert world.shares(WEB) == {"eu": 2, "us": 2}
