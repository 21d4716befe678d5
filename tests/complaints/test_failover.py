"""Failover that hurt: row 5 of docs/complaints.md."""

from typing import Any

from shared.api.cluster import UNREACHABLE_TAINT
from shared.apimachinery.manifest import ObjectKey
from shared.errors import StaleRevision
from tests.federation import Federation, deployment, deployment_key, eventually
from tests.scheduled_federation import a_policy, apply, policy_key, replicas

WEB = deployment_key("web")
BINDING = ObjectKey("hanse.dev", "resourcebindings", "shop", "web-deployment")
DIVIDED = {"replicaScheduling": {"replicaSchedulingType": "Divided"}}
OFF = {"clusterTolerations": [{"key": UNREACHABLE_TAINT, "operator": "Exists"}]}
LONG_AGO = "2026-01-01T00:00:00Z"


async def place(federation: Federation, count: int = 4, **spec: Any) -> None:
    selector = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    await apply(federation, policy_key("web"), a_policy(selector, **spec))
    await apply(federation, WEB, deployment("web", count))
    await eventually(lambda: replicas(federation) == {"eu-1": 2, "us-1": 2})


async def write_status(federation: Federation, key: ObjectKey, **fields: Any) -> None:
    while True:
        stored = await federation.store.get(key)
        assert stored is not None
        status = {**(stored.manifest.get("status") or {}), **fields}
        try:
            await federation.write(key, {**stored.manifest, "status": status})
        except StaleRevision:
            continue
        return


async def lose_eu_1(federation: Federation) -> None:
    """Play health: nobody has heard of it since long ago."""
    ready = {"type": "Ready", "status": "False", "reason": "Unreachable"}
    joined = {"type": "Joined", "status": "True", "reason": "Identified"}
    taint = {"key": UNREACHABLE_TAINT, "effect": "NoExecute", "timeAdded": LONG_AGO}
    key = ObjectKey("hanse.dev", "clusters", "", "eu-1")
    await write_status(federation, key, conditions=[ready, joined], taints=[taint])


async def ail_in_eu_1(federation: Federation) -> None:
    """Play health: the object has not been well there since long ago."""
    report = {"cluster": "eu-1", "applied": True, "health": "Degraded"}
    reports = [{**report, "unhealthySince": LONG_AGO}]
    await write_status(federation, BINDING, aggregatedStatus=reports)


async def test_row_5_what_is_to_stay_in_a_lost_cluster_stays_in_every_respect(
    scheduled: Federation,
) -> None:
    """Failover was switched off, and works were cleaned up and replicas moved all the same.

    That was karmada#5375, #5899, #6400 and #1640.
    """
    await place(scheduled, placement={**DIVIDED, **OFF})
    await lose_eu_1(scheduled)
    # Whatever else is decided meanwhile.
    await apply(scheduled, WEB, deployment("web", 6))
    await eventually(lambda: replicas(scheduled) == {"eu-1": 2, "us-1": 4})
    await apply(scheduled, WEB, deployment("web", 7))
    await eventually(lambda: replicas(scheduled) == {"eu-1": 2, "us-1": 5})
    stored = await scheduled.store.get(BINDING)
    assert stored is not None
    assert "evictions" not in stored.manifest["spec"]


async def test_row_5_what_is_to_leave_a_lost_cluster_leaves(scheduled: Federation) -> None:
    await place(scheduled, placement=DIVIDED)
    await lose_eu_1(scheduled)
    await eventually(lambda: replicas(scheduled).get("us-1") == 4)


async def test_row_5_without_application_failover_nothing_moves_however_it_does(
    scheduled: Federation,
) -> None:
    await place(scheduled, placement=DIVIDED)
    await ail_in_eu_1(scheduled)
    await apply(scheduled, WEB, deployment("web", 6))
    await eventually(lambda: replicas(scheduled) == {"eu-1": 3, "us-1": 3})
    stored = await scheduled.store.get(BINDING)
    assert stored is not None
    assert not {"evictions", "applicationFailures"} & set(stored.manifest["spec"])


async def test_row_5_with_application_failover_what_is_not_well_moves(
    scheduled: Federation,
) -> None:
    await place(scheduled, placement=DIVIDED, failover={"application": {}})
    await ail_in_eu_1(scheduled)
    await eventually(lambda: replicas(scheduled).get("us-1") == 4)
    stored = await scheduled.store.get(BINDING)
    assert stored is not None
    (eviction,) = stored.manifest["spec"]["evictions"]
    assert (eviction["cluster"], eviction["reason"]) == ("eu-1", "ApplicationUnhealthy")
