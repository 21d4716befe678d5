"""Who gets how much, case by case."""

from collections.abc import Sequence
from typing import Any

from services.traffic.core.places import Nearness, Place, Terms, Weight
from services.traffic.core.split import split


def place(cluster: str, ready: int = 4, **fields: Any) -> Place:
    fields.setdefault("wanted", ready)
    return Place(cluster=cluster, region=cluster.partition("-")[0], ready=ready, **fields)


def shares(terms: Terms, fleet: Sequence[Place], region: str = "") -> dict[str, float]:
    return {one.name: one.share / 100 for one in split(terms, fleet, region) if one.share}


def reasons(terms: Terms, fleet: Sequence[Place], region: str = "") -> dict[str, str]:
    return {one.name: one.reason for one in split(terms, fleet, region)}


def weight(number: int, *clusters: str) -> Weight:
    return Weight(clusters=frozenset(clusters), weight=number)


FLEET = [place("eu-1", 6), place("eu-2", 2), place("us-1", 2)]


def test_without_rules_it_goes_by_ready_endpoints() -> None:
    assert shares(Terms(), FLEET) == {"eu-1": 60, "eu-2": 20, "us-1": 20}


def test_a_weight_is_of_all_its_clusters_together() -> None:
    terms = Terms(weights=(weight(1, "eu-1", "eu-2"), weight(3, "us-1")))

    assert shares(terms, FLEET) == {"eu-1": 18.75, "eu-2": 6.25, "us-1": 75}


def test_what_has_no_weight_takes_nothing_and_the_dead_leave_theirs_to_the_others() -> None:
    terms = Terms(weights=(weight(1, "eu-1"), weight(1, "us-1"), weight(0, "eu-2")))
    fleet = [place("eu-1", 0, wanted=6), place("eu-2"), place("us-1"), place("ap-1")]

    assert shares(terms, fleet) == {"us-1": 100}
    assert reasons(terms, fleet) == {
        "eu-1": "NoEndpoints",
        "eu-2": "NoWeight",
        "us-1": "Shared",
        "ap-1": "NoWeight",
    }
    assert shares(Terms(weights=(weight(1, "eu-1"),)), fleet) == {}


def test_traffic_stays_in_its_region_while_enough_is_ready_there() -> None:
    terms = Terms(nearness=Nearness(min_ready_percent=70))

    assert shares(terms, FLEET, "us") == {"us-1": 100}
    assert shares(terms, FLEET, "eu") == {"eu-1": 75, "eu-2": 25}
    assert shares(terms, FLEET) == {"eu-1": 60, "eu-2": 20, "us-1": 20}
    assert reasons(terms, FLEET, "us")["eu-1"] == "NearerOnes"


def test_what_the_near_ones_lack_goes_on_in_proportion() -> None:
    fleet = [place("us-1", 7, wanted=20), place("eu-1", 4), place("eu-2", 4)]
    terms = Terms(nearness=Nearness(min_ready_percent=70))

    assert shares(terms, fleet, "us") == {"us-1": 50, "eu-1": 25, "eu-2": 25}
    assert reasons(terms, fleet, "us")["eu-1"] == "Overflow"


def test_the_nearest_others_come_first_by_latency() -> None:
    latency = {("us", "eu-1"): 90, ("us", "ap-1"): 180}
    fleet = [place("us-1", 0), place("eu-1"), place("ap-1"), place("sa-1")]
    terms = Terms(nearness=Nearness(latency=latency))

    assert shares(terms, fleet, "us") == {"eu-1": 100}
    # Hardly farther is no farther.
    near = Nearness(latency={**latency, ("us", "ap-1"): 100})
    assert shares(Terms(nearness=near), fleet, "us") == {"eu-1": 50, "ap-1": 50}


def test_what_the_near_ones_have_no_room_for_goes_to_who_has() -> None:
    near = Nearness(rate=10, demand={"us": 40, "eu": 60})
    # 20 of 40 have room at home; of 80 in eu its own 60 leave 20.
    assert shares(Terms(nearness=near), FLEET, "us") == {"us-1": 50, "eu-1": 37.5, "eu-2": 12.5}
    assert shares(Terms(nearness=near), FLEET, "eu") == {"eu-1": 75, "eu-2": 25}
    # Nobody has room: what is too much is borne by all that have some.
    over = Nearness(rate=10, demand={"us": 40, "eu": 200})
    assert shares(Terms(nearness=over), FLEET, "us") == {"us-1": 100}


def test_two_regions_share_what_a_third_spares_by_what_they_have_too_much_of() -> None:
    fleet = [place("us-1", 1), place("ap-1", 1), place("eu-1", 4)]
    near = Nearness(rate=10, demand={"us": 40, "ap": 20})
    # us has 30 too much and ap 10; eu spares 40.
    assert shares(Terms(nearness=near), fleet, "us") == {"us-1": 25, "eu-1": 75}
    assert shares(Terms(nearness=near), fleet, "ap") == {"ap-1": 50, "eu-1": 50}


def test_the_first_failover_group_that_can_takes_everything() -> None:
    groups = (frozenset({"eu-1"}), frozenset({"us-1"}), frozenset({"eu-2"}))

    assert shares(Terms(groups=groups), FLEET) == {"eu-1": 100}
    assert shares(Terms(groups=groups, active=1), FLEET) == {"us-1": 100}
    assert reasons(Terms(groups=groups, active=1), FLEET)["eu-1"] == "FailoverOrder"
    gone = [place("eu-1"), place("us-1", 0), place("eu-2", 0)]
    assert shares(Terms(groups=groups, active=1), gone) == {"eu-1": 100}


def test_a_shift_takes_its_part_before_weights_share_the_rest() -> None:
    weights = (weight(1, "eu-1"), weight(3, "eu-2"), weight(1, "us-1"))
    terms = Terms(weights=weights, shift_to=frozenset({"us-1"}), percentage=20)

    assert shares(terms, FLEET) == {"eu-1": 20, "eu-2": 60, "us-1": 20}
    none = Terms(weights=weights, shift_to=frozenset({"us-1"}), percentage=0)
    assert reasons(none, FLEET)["us-1"] == "NotShiftedYet"
    whole = Terms(weights=weights, shift_to=frozenset({"us-1"}), percentage=100)
    assert reasons(whole, FLEET)["eu-1"] == "ShiftedAway"


def test_a_shift_goes_to_those_without_a_weight_too() -> None:
    weights = (weight(1, "eu-1"), weight(0, "us-1"))
    terms = Terms(weights=weights, shift_to=frozenset({"us-1", "eu-2"}), percentage=20)

    assert shares(terms, FLEET) == {"eu-1": 80, "eu-2": 10, "us-1": 10}


def test_a_shift_leaves_no_traffic_with_the_dead() -> None:
    terms = Terms(shift_to=frozenset({"us-1"}), percentage=50)

    assert shares(terms, [place("eu-1"), place("us-1", 0)]) == {"eu-1": 100}
    assert shares(terms, [place("eu-1", 0), place("us-1")]) == {"us-1": 100}


def test_what_is_drained_gets_nothing_while_anybody_else_can() -> None:
    drained = place("eu-1", drained=True, why="it is being drained")

    assert shares(Terms(), [drained, place("us-1")]) == {"us-1": 100}
    alone = [drained, place("us-1", reachable=False, why="it is away")]
    assert shares(Terms(), alone) == {"eu-1": 100}
    told = {one.name: one.message for one in split(Terms(), alone)}
    assert told == {
        "eu-1": "it is being drained, and nobody else can take it",
        "us-1": "it is away",
    }
