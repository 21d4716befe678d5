"""How a member leaves: at once, or emptied first, and never later than it may take."""

from datetime import timedelta
from typing import Any, cast

import pytest

from hanse.membership.leave import Departure, Objects, leave
from shared.apimachinery.manifest import Manifest
from shared.apimachinery.patch import merge_patch
from shared.memberapi.port import MemberApi, MemberListing, ResourceType
from tests.clocks import PatientClock


class Hub:
    """The part of the hub's API that leaving takes; each look finds one work fewer."""

    def __init__(
        self, works: int, *, stuck: int = 0, source: str = "", ready: str = "True"
    ) -> None:
        """*source*: of the works, what they come from."""
        status = {"conditions": [{"type": "Ready", "status": ready}]}
        self.clusters: dict[str, Manifest] = {
            "eu-1": {"metadata": {"uid": "u"}, "spec": {}, "status": status}
        }
        self.works = works
        self.stuck = stuck
        self.source = source
        self.asked: list[Any] = []

    async def get(self, _kind: ResourceType, _namespace: str, name: str) -> Manifest | None:
        return self.clusters.get(name)

    async def merge(self, _kind: ResourceType, _space: str, name: str, patch: Manifest) -> bool:
        self.clusters[name] = merge_patch(self.clusters[name], patch)
        self.asked.append(patch)
        return True

    async def delete(
        self, _kind: ResourceType, _namespace: str, name: str, *, uid: str, propagation: str
    ) -> bool:
        assert (uid, propagation) == ("u", "Background")
        return self.clusters.pop(name, None) is not None

    async def list(self, kind: ResourceType) -> MemberListing:
        if not kind.namespaced:
            return MemberListing((), "1")
        shown = max(self.works, self.stuck)
        self.works -= 1
        mine = [_work(f"eu-1.work-{one}", "eu-1", self.source) for one in range(shown)]
        other = _work("us-1.work", "us-1", "traffic/service/shop/web")
        return MemberListing((*mine, other), "1")


def _work(name: str, cluster: str, source: str) -> Manifest:
    return {"metadata": {"name": name}, "spec": {"cluster": cluster, "resource": {"uid": source}}}


def api(hub: Hub) -> MemberApi:
    return cast("MemberApi", hub)


async def test_by_default_nobody_is_asked_and_nothing_waited_for() -> None:
    hub, clock = Hub(9, stuck=9), PatientClock()
    assert await leave(api(hub), "eu-1", clock=clock) == Departure(was_member=True)
    assert (hub.asked, clock.seconds, hub.clusters) == ([], 0.0, {})


IMPORTED = "traffic/service/shop/web@us-1"


async def test_what_it_imported_goes_before_a_member_leaves_with_all_else() -> None:
    """Endpoints of others would stand there that nobody renews any more."""
    hub, clock = Hub(3, source=IMPORTED), PatientClock()
    assert await leave(api(hub), "eu-1", clock=clock) == Departure(was_member=True)
    assert hub.asked == [{"spec": {"leaving": "Keep"}}]
    assert clock.seconds == pytest.approx(1.0)
    assert not hub.clusters


async def test_that_is_waited_for_shortly_and_not_at_all_where_nobody_answers() -> None:
    slow, clock = Hub(3, stuck=1, source=IMPORTED), PatientClock()
    found = await leave(api(slow), "eu-1", clock=clock)
    assert found == Departure(was_member=True, left_behind=("eu-1.work-0",))
    assert clock.seconds == pytest.approx(10.0)
    gone, clock = Hub(3, source=IMPORTED, ready="Unknown"), PatientClock()
    assert await leave(api(gone), "eu-1", clock=clock) == Departure(was_member=True)
    assert (gone.asked, clock.seconds, gone.clusters) == ([], 0.0, {})


@pytest.mark.parametrize(("objects", "said"), [("move", "Move"), ("remove", "Remove")])
async def test_emptied_it_leaves_once_nothing_is_left(objects: Objects, said: str) -> None:
    hub, clock = Hub(3), PatientClock()
    assert await leave(api(hub), "eu-1", objects, clock=clock) == Departure(was_member=True)
    assert hub.asked == [{"spec": {"leaving": said}}]
    assert clock.seconds == pytest.approx(1.5)
    assert not hub.clusters


async def test_a_member_that_does_not_obey_keeps_nobody_from_leaving() -> None:
    hub, clock = Hub(3, stuck=2), PatientClock()
    found = await leave(api(hub), "eu-1", "remove", deadline=timedelta(seconds=5), clock=clock)
    assert found == Departure(was_member=True, left_behind=("eu-1.work-0", "eu-1.work-1"))
    assert clock.seconds == pytest.approx(5.0)
    assert not hub.clusters
