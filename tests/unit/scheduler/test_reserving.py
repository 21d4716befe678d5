"""Room that is taken by decisions under way: from the decision until it is in the member's room."""

from datetime import UTC, datetime, timedelta

import pytest

from services.scheduler.core.reserving import TERM, Reserved
from services.scheduler.core.room import Ask, NodeRoom, Room, Taken
from shared.api.binding import BindingSpec, ClusterReport, ObjectReference, TargetCluster
from shared.apimachinery.manifest import ObjectKey

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
WEB = ObjectKey("hanse.dev", "resourcebindings", "shop", "web-deployment")
RESOURCE = ObjectReference(api_version="apps/v1", kind="Deployment", resource="x", name="web")
NANO = 10**9


def a_spec(**shares):
    return BindingSpec(
        resource=RESOURCE,
        replicas=sum(shares.values()),
        clusters=tuple(TargetCluster(name=name, replicas=n) for name, n in shares.items()),
    )


def a_report(cluster, available, *, applied=True, message=""):
    return ClusterReport(
        cluster=cluster,
        applied=applied,
        message=message,
        health="Progressing",
        status={"availableReplicas": available},
    )


class Binding:
    """One binding as the scheduler sees it, step by step."""

    def __init__(self):
        self.reserved = Reserved()
        self.spec = None
        self.now = NOW

    def says(self, spec, *reports):
        given_back = self.reserved.note(WEB, self.spec, spec, reports, self.now)
        self.spec = spec
        for cluster in ("a", "b"):
            for one in self.reserved.unasked(cluster):
                self.reserved.ask(one, Ask(), "shop")
        return given_back

    @property
    def taken(self):
        found = {name: self.reserved.taken(name) for name in ("a", "b")}
        return {name: sum(one.replicas for one in some) for name, some in found.items() if some}


@pytest.fixture
def binding():
    return Binding()


def test_a_decision_takes_room_until_the_room_of_its_member_is_reckoned_anew(binding):
    binding.says(a_spec(a=3, b=1))
    assert binding.taken == {"a": 3, "b": 1}
    binding.says(binding.spec, a_report("a", 2))
    binding.reserved.reckoned("a")
    assert binding.taken == {"a": 1, "b": 1}
    binding.says(binding.spec, a_report("a", 3), a_report("b", 1))
    assert binding.taken == {"a": 1, "b": 1}
    binding.reserved.reckoned("a")
    binding.reserved.reckoned("b")
    assert binding.taken == {}
    assert not binding.reserved


def test_what_ran_before_and_fails_takes_nothing_anew(binding):
    binding.says(a_spec(a=3))
    binding.says(binding.spec, a_report("a", 3))
    binding.reserved.reckoned("a")
    binding.says(binding.spec, a_report("a", 0))
    assert binding.taken == {}


def test_only_growth_is_under_way(binding):
    binding.spec = a_spec(a=3)
    binding.says(a_spec(a=5), a_report("a", 3))
    assert binding.taken == {"a": 2}
    binding.says(a_spec(a=7), a_report("a", 3))
    assert binding.taken == {"a": 4}


def test_what_is_seen_already_is_not_waited_for(binding):
    binding.spec = a_spec(a=3)
    binding.says(a_spec(a=5), a_report("a", 5))
    binding.reserved.reckoned("a")
    assert binding.taken == {}


@pytest.mark.parametrize(
    ("spec", "reports", "left"),
    [
        (a_spec(a=3), [a_report("a", 0, applied=False, message="forbidden")], {}),
        (a_spec(a=1), [], {"a": 1}),
        (a_spec(b=3), [], {"b": 3}),
        (None, [], {}),
    ],
    ids=["refused", "shrunk", "moved", "gone"],
)
def test_room_is_given_back_when_it_is_not_needed(binding, spec, reports, left):
    binding.says(a_spec(a=3))
    assert binding.says(spec, *reports)
    assert binding.taken == left


def test_to_be_seen_gives_nothing_back(binding):
    binding.says(a_spec(a=3))
    assert not binding.says(binding.spec, a_report("a", 3))


def test_what_never_comes_is_given_back_after_a_term(binding):
    binding.says(a_spec(a=3))
    binding.now += TERM / 2
    binding.says(a_spec(a=3, b=1))
    assert not binding.reserved.expire(NOW + TERM - timedelta(seconds=1))
    assert binding.reserved.next_end == NOW + TERM
    assert binding.reserved.expire(NOW + TERM)
    assert binding.taken == {"b": 1}
    assert binding.reserved.expire(binding.now + TERM)
    assert binding.reserved.next_end is None


def test_what_grows_meanwhile_has_a_term_of_its_own(binding):
    binding.says(a_spec(a=3))
    binding.now += TERM / 2
    binding.says(a_spec(a=4))
    assert not binding.reserved.expire(NOW + TERM)
    assert binding.taken == {"a": 4}
    assert binding.reserved.expire(binding.now + TERM)


def test_a_share_taken_for_others_takes_no_room(binding):
    required = TargetCluster(name="a", replicas=3, required=True)
    spec = BindingSpec(resource=RESOURCE, replicas=3, clusters=(required,))
    binding.says(spec)
    assert binding.taken == {}


def a_room(*nodes, **more):
    classes = [NodeRoom(count, {"cpu": cpu * NANO, "pods": 99 * NANO}) for count, cpu in nodes]
    return Room(tuple(classes), **more)


ONE, FOUR = Ask((("cpu", NANO),)), Ask((("cpu", 4 * NANO),))


@pytest.mark.parametrize("replicas", range(12))
def test_replicas_take_as_much_room_as_they_are(replicas):
    room = a_room((2, 4), (1, 1))
    assert room.without([Taken(ONE, "", replicas)]).holds(ONE) == max(0, 9 - replicas)


def test_they_go_to_the_emptiest_nodes():
    left = a_room((2, 4), (1, 2)).without([Taken(ONE, "", 5)])
    cores = sorted((one.free["cpu"] // NANO, one.count) for one in left.nodes)
    assert cores == [(1, 1), (2, 2)]
    assert left.holds(FOUR) == 0


def test_nodes_of_a_sort_part_where_some_take_more():
    left = a_room((10, 4)).without([Taken(ONE, "", 13)])
    assert sorted((one.count, one.free["cpu"] // NANO) for one in left.nodes) == [(3, 2), (7, 3)]


def test_replicas_that_fit_nowhere_leave_the_room_as_it_is():
    room = a_room((3, 2))
    assert room.without([Taken(FOUR, "", 2)]).holds(ONE) == room.holds(ONE)


def test_a_quota_shrinks_by_what_its_own_namespace_takes():
    room = a_room((9, 9), quotas={"shop": {"cpu": 4 * NANO}})
    left = room.without([Taken(ONE, "shop", 3), Taken(ONE, "other", 5)])
    assert (left.holds(ONE, "shop"), left.holds(ONE, "other")) == (1, 73)
