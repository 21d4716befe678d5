"""How many members are given up, and how fast; and how long one that comes and goes has to wait."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.health.core.brake import RATE, REGION, TOO_MANY_GONE, Brake, Held, Standing
from services.health.core.cluster_status import Assessment, status_after
from services.health.core.returning import OUTAGES_MAX, outages_with, settling_of
from services.health.core.verdict import judge
from shared.api.cluster import RETURNING_TAINT, ClusterStatus
from shared.clock import format_time
from shared.events.cluster import Reach
from tests.unit.health.test_verdict import NOW, a_word

BRAKE = Brake()
GONE, WELL = Reach.UNREACHABLE, Reach.REACHABLE
BASE = timedelta(minutes=1)


def fleet(well: int, *gone: Standing) -> dict[str, Standing]:
    """So many that are well, each in a region of its own, and those, named g0, g1 and so on."""
    found = {f"w{index}": Standing(reach=WELL, region=f"r{index}") for index in range(well)}
    return found | {f"g{index}": standing for index, standing in enumerate(gone)}


def gone(seconds_ago: float | None = None, region: str = "") -> Standing:
    at = None if seconds_ago is None else NOW - timedelta(seconds=seconds_ago)
    return Standing(reach=GONE, region=region, given_up=at)


def why(name: str, members: dict[str, Standing]) -> str:
    held = BRAKE.why_held(name, members, NOW)
    return held.reason if held is not None else ""


def test_a_single_member_is_given_up_at_once() -> None:
    assert why("g0", fleet(1, gone())) == ""
    assert why("g0", fleet(19, gone())) == ""


def test_as_many_at_once_as_the_fleet_is_large() -> None:
    assert why("g2", fleet(5, gone(10), gone(20), gone())) == RATE
    assert why("g2", fleet(17, gone(10), gone(20), gone())) == ""
    assert why("g5", fleet(14, *[gone(1)] * 5, gone())) == RATE


def test_who_had_to_wait_follows_when_the_window_is_over() -> None:
    assert why("g2", fleet(5, gone(61), gone(20), gone())) == ""


def test_who_is_given_up_already_stays_so() -> None:
    assert why("g1", fleet(5, gone(10), gone(5), gone(1))) == ""


def test_when_most_of_the_fleet_seems_gone_nobody_is_given_up() -> None:
    assert why("g1", fleet(1, gone(), gone())) == TOO_MANY_GONE


def test_a_region_of_which_most_seem_gone_is_given_up_slowly() -> None:
    others = fleet(9, gone(90, "eu"), gone(region="eu"))
    mixed = {**others, "eu-well": Standing(reach=WELL, region="eu")}
    assert why("g1", mixed) == REGION
    late = {**mixed, "g0": gone(301, "eu")}
    assert why("g1", late) == ""


def test_a_region_that_is_gone_altogether_is_an_outage_like_any_other() -> None:
    members = fleet(9, gone(90, "eu"), gone(80, "eu"), gone(region="eu"))
    assert why("g2", members) == ""


@given(st.integers(1, 60), st.integers(0, 60))
def test_in_no_window_more_are_given_up_than_may_at_once(well: int, lost: int) -> None:
    members = fleet(well, *[gone() for _ in range(lost)])
    for name in [one for one in members if one.startswith("g")]:
        if BRAKE.why_held(name, members, NOW) is None:
            members[name] = gone(0)
    given_up = sum(one.given_up is not None for one in members.values())
    assert given_up <= max(2, -(-len(members) // 4))


def after(
    status: ClusterStatus, reach: Reach, minutes: float, held: Held | None = None
) -> ClusterStatus:
    words = (a_word(reach),)
    found = Assessment(verdict=judge(words), observations=words, held=held, settle_base=BASE)
    return status_after(status, found, now=NOW + timedelta(minutes=minutes))


def keys(status: ClusterStatus) -> set[str]:
    return {taint.key for taint in status.taints}


def test_after_a_single_outage_work_may_return_at_once() -> None:
    back = after(after(ClusterStatus(), GONE, 0), WELL, 1)
    assert back.taints == ()
    assert back.outages == (format_time(NOW),)


def test_a_member_that_comes_and_goes_has_to_settle_first() -> None:
    status = after(after(ClusterStatus(), GONE, 0), WELL, 1)
    status = after(after(status, GONE, 2), WELL, 3)
    assert keys(status) == {RETURNING_TAINT}
    assert keys(after(status, WELL, 3.5)) == {RETURNING_TAINT}
    assert keys(after(status, WELL, 4.1)) == set()
    # What it still runs, or what tolerates it, is not moved for that.
    assert {taint.effect for taint in status.taints} == {"NoSchedule"}


def test_each_outage_doubles_the_wait_up_to_a_bound_and_an_hour_forgives() -> None:
    def wait(count: int) -> timedelta:
        return settling_of([format_time(NOW)] * count, BASE, NOW)

    assert [wait(count) for count in (0, 1, 2, 3, 4)] == [
        timedelta(0),
        timedelta(0),
        BASE,
        2 * BASE,
        4 * BASE,
    ]
    assert wait(OUTAGES_MAX) == timedelta(minutes=15)
    old = format_time(NOW - timedelta(hours=2))
    assert settling_of([old, old, format_time(NOW)], BASE, NOW) == timedelta(0)
    assert outages_with([old], NOW) == (format_time(NOW),)


def test_what_is_held_back_is_no_outage() -> None:
    held = after(ClusterStatus(), GONE, 0, Held(RATE, "three at once"))
    assert held.taints == ()
    assert held.outages == ()
