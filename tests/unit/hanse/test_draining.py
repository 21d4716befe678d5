"""A member is drained: asked first, then traffic, then replicas."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, cast

import msgspec
import pytest

from hanse.commands.drain import as_text
from hanse.membership.drain import Drained, DrainTerms, drain, undo
from shared.apimachinery.manifest import Manifest
from shared.apimachinery.patch import merge_patch
from shared.errors import InvalidObject
from shared.events.planning import Plan, PlannedChange
from shared.memberapi.port import MemberApi, MemberListing, ResourceType
from tests.clocks import PatientClock

UNFIT = PlannedChange(kind="Deployment", namespace="shop", name="web", fits=False, message="full")
SLOW, FAST = {"key": "x", "effect": "NoSchedule"}, timedelta(0)
DRAINING = "cluster.hanse.dev/draining"


def a_policy(**shares: int) -> Manifest:
    clusters = [
        {"name": name.replace("_", "-"), "share": share, "ready": 1}
        for name, share in shares.items()
    ]
    return {
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"service": "web"},
        "status": {"splits": [{"region": "", "clusters": clusters}]},
    }


def a_binding(*clusters: str, **spec: Any) -> Manifest:
    resource = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "resource": "deployments",
        "namespace": "shop",
        "name": "web",
    }
    targets = [{"name": name, "replicas": 1} for name in clusters]
    return {"metadata": {"name": "b"}, "spec": {"resource": resource, "clusters": targets, **spec}}


class Hub:
    """The part of the hub's API that draining takes; what it shows goes on with each look."""

    def __init__(self, plan: Plan | None = None) -> None:
        self.cluster: Manifest = {
            "metadata": {"name": "eu-1", "labels": {"a": "b"}, "resourceVersion": "7"},
            "spec": {"region": "eu", "taints": [SLOW]},
        }
        self.plan = plan or Plan(templates=2, examined=2, moved=5)
        self.asked: list[Any] = []
        self.shown: dict[str, list[list[Manifest]]] = {}

    async def get(self, _kind: ResourceType, _namespace: str, name: str) -> Manifest | None:
        return self.cluster if name == "eu-1" else None

    async def merge(self, _kind: ResourceType, _space: str, _name: str, patch: Manifest) -> bool:
        assert patch["metadata"] == {"resourceVersion": "7"}
        self.cluster = merge_patch(self.cluster, patch)
        return True

    async def create(self, _kind: ResourceType, _space: str, asked: Manifest) -> Manifest:
        self.asked.append(asked)
        return cast("Manifest", msgspec.to_builtins(self.plan))

    async def list(self, kind: ResourceType) -> MemberListing:
        looks = self.shown.get(kind.resource, [[]])
        items = looks.pop(0) if len(looks) > 1 else looks[0]
        return MemberListing(tuple(items), "1")

    @property
    def effects(self) -> Sequence[str]:
        taints = self.cluster["spec"]["taints"]
        assert SLOW in taints
        return [one["effect"] for one in taints if one["key"] == DRAINING]


async def drained(hub: Hub, clock: PatientClock | None = None, **terms: Any) -> Drained:
    return await drain(cast("MemberApi", hub), "eu-1", DrainTerms(**terms), clock or PatientClock())


async def test_traffic_goes_first_and_replicas_once_it_has_gone() -> None:
    hub, clock = Hub(), PatientClock()
    there, gone = a_policy(eu_1=5_000, us_1=5_000), a_policy(eu_1=0, us_1=10_000)
    hub.shown["trafficpolicies"] = [[there], [there], [there], [gone]]
    hub.shown["resourcebindings"] = [[a_binding("eu-1")], [a_binding("us-1")]]
    found = await drained(hub, clock)

    assert (found.outcome, hub.effects) == ("Drained", ["NoExecute"])
    assert as_text(found) == "eu-1 is drained: its traffic and its replicas (5) are elsewhere\n"
    # Two looks at traffic that goes there, the grace, one look at what runs there.
    assert clock.seconds == pytest.approx(0.5 * 2 + 5 + 0.5)
    (supposed,) = hub.asked[0]["objects"]
    assert supposed["metadata"] == {"name": "eu-1", "labels": {"a": "b"}}
    assert supposed["spec"]["taints"] == [SLOW, {"key": DRAINING, "effect": "NoExecute"}]


@pytest.mark.parametrize(
    ("plan", "why"),
    [
        (
            Plan(templates=1, examined=1, changes=(UNFIT,), unplaced=1),
            "Deployment shop/web would have no place: full",
        ),
        (Plan(templates=9, examined=1), "only 1 of 9 objects could be looked at in time"),
    ],
)
async def test_it_is_refused_where_the_rest_lacks_room(plan: Plan, why: str) -> None:
    hub = Hub(plan)
    found = await drained(hub)

    assert (found.outcome, hub.effects) == ("Refused", [])
    assert why in as_text(found)
    assert (await drained(hub, force=True)).outcome == "Drained"


async def test_it_is_refused_where_nobody_else_answers_for_a_service() -> None:
    hub, clock = Hub(), PatientClock()
    alone = a_policy(eu_1=10_000, us_1=0)
    alone["status"]["splits"][0]["clusters"][1] |= {"reason": "NoEndpoints"}
    hub.shown["trafficpolicies"] = [[alone]]
    found = await drained(hub)
    assert (found.outcome, found.alone) == ("Refused", ("shop/web",))
    assert "nobody else answers for traffic policy shop/web" in as_text(found)

    forced = await drained(hub, clock, force=True)
    assert (forced.outcome, clock.seconds) == ("Drained", 5.0)
    assert "nobody else answers for shop/web: their traffic stays\n" in as_text(forced)


async def test_what_has_not_left_in_time_is_told_and_goes_on_leaving() -> None:
    hub, clock = Hub(), PatientClock()
    hub.shown["trafficpolicies"] = [[a_policy(eu_1=1, us_1=9_999)]]
    found = await drained(hub, clock, timeout=timedelta(seconds=3))
    assert (found.outcome, found.remaining) == ("Remaining", ("trafficpolicy shop/web",))
    assert (hub.effects, clock.seconds) == (["NoSchedule"], pytest.approx(3, abs=0.5))

    hub.shown = {"resourcebindings": [[a_binding("us-1", evictions=[])], []]}
    leaving = {"cluster": "eu-1", "reason": "Taint", "since": "2026-01-01T00:00:00Z"}
    hub.shown = {"resourcebindings": [[a_binding("us-1", evictions=[leaving])]]}
    found = await drained(hub, grace=FAST, timeout=timedelta(seconds=3))
    assert (found.outcome, found.remaining) == ("Remaining", ("deployment shop/web",))
    assert "eu-1 is not empty yet: deployment shop/web\n" in as_text(found)


async def test_names_are_waited_for_as_long_as_they_are_remembered() -> None:
    hub, clock = Hub(), PatientClock()
    server = {"name": "ns.example.com", "addresses": ["192.0.2.1"]}
    spec = {"domain": "example.com", "nameServers": [server], "ttlSeconds": 60}
    hub.shown["globalzones"] = [[{"metadata": {"name": "z"}, "spec": spec}]]
    await drained(hub, clock)
    assert clock.seconds == 60


async def test_what_tolerates_it_stays_and_traffic_may_go_alone() -> None:
    hub = Hub()
    tolerant = {"clusterTolerations": [{"operator": "Exists"}]}
    hub.shown["resourcebindings"] = [[a_binding("eu-1", placement=tolerant)]]
    found = await drained(hub)
    assert (found.outcome, found.staying) == ("Drained", ("deployment shop/web",))

    hub = Hub()
    found = await drained(hub, traffic_only=True)
    assert (found.outcome, hub.effects) == ("TrafficMoved", ["NoSchedule"])
    assert as_text(found) == "no traffic goes to eu-1 any more; what runs there runs on\n"


async def test_it_is_undone_by_taking_the_taint_away() -> None:
    hub = Hub()
    await drained(hub)
    assert await undo(cast("MemberApi", hub), "eu-1")
    assert hub.effects == []
    assert not await undo(cast("MemberApi", hub), "eu-1")
    with pytest.raises(InvalidObject, match="us-9 is not a member"):
        await undo(cast("MemberApi", hub), "us-9")
