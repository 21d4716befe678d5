"""Whose turn it is: the urgent sooner, nobody never, each flow in its turn."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from shared.controller.turns import WEIGHTS, Turns, Urgency

FIRST, CHANGE, UPKEEP = Urgency.FIRST, Urgency.CHANGE, Urgency.UPKEEP
Key = tuple[str, int]


def turns() -> Turns[Key]:
    """Keys whose flow is their first half."""
    return Turns(lambda key: key[0])


def taken(found: Turns[Key], count: int | None = None) -> list[Key]:
    return [found.take() for _ in range(len(found) if count is None else count)]


def test_within_a_flow_the_first_that_came_is_the_first_that_goes() -> None:
    found = turns()
    for number in (3, 1, 2):
        found.add(("a", number), CHANGE)
    assert taken(found) == [("a", 3), ("a", 1), ("a", 2)]


def test_one_key_of_a_small_flow_waits_for_one_of_a_large_one() -> None:
    found = turns()
    for number in range(10_000):
        found.add(("large", number), CHANGE)
    found.add(("small", 0), CHANGE)
    assert ("small", 0) in taken(found, 2)


def test_flows_share_alike_while_all_of_them_wait() -> None:
    found = turns()
    for flow in "abc":
        for number in range(50):
            found.add((flow, number), CHANGE)
    shares = Counter(flow for flow, _ in taken(found, 30))
    assert shares == {"a": 10, "b": 10, "c": 10}


def test_classes_share_by_their_weights_while_all_of_them_wait() -> None:
    found = turns()
    for urgency in Urgency:
        for number in range(100):
            found.add((urgency.name, number), urgency)
    shares = Counter(name for name, _ in taken(found, sum(WEIGHTS.values()) * 3))
    assert shares == {urgency.name: weight * 3 for urgency, weight in WEIGHTS.items()}


def test_the_urgent_goes_before_ten_thousand_others() -> None:
    found = turns()
    for number in range(10_000):
        found.add(("a", number), CHANGE)
    taken(found, 5_000)
    found.add(("b", 0), FIRST)
    assert ("b", 0) in taken(found, 2)


def test_who_had_nothing_to_do_has_saved_up_no_turns() -> None:
    found = turns()
    for number in range(1_000):
        found.add(("a", number), FIRST)
    taken(found, 900)
    for number in range(100):
        found.add(("b", number), UPKEEP)
    upkeep = sum(flow == "b" for flow, _ in taken(found, 34))
    assert upkeep <= 34 * WEIGHTS[UPKEEP] // (WEIGHTS[FIRST] + WEIGHTS[UPKEEP]) + 1


def test_a_key_that_becomes_urgent_moves_forward_and_is_taken_once() -> None:
    found = turns()
    for number in range(100):
        found.add(("a", number), UPKEEP)
    found.add(("a", 99), FIRST)
    # What was urgent stays so.
    found.add(("a", 99), CHANGE)
    assert len(found) == 100
    order = taken(found)
    assert order[0] == ("a", 99)
    assert len(set(order)) == 100


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abcd"), st.integers(0, 20), st.sampled_from(Urgency), st.booleans()
        ),
        max_size=200,
    )
)
def test_whatever_comes_each_key_is_taken_exactly_once(
    steps: list[tuple[str, int, Urgency, bool]],
) -> None:
    found, waiting = turns(), set[Key]()
    for flow, number, urgency, takes in steps:
        found.add((flow, number), urgency)
        waiting.add((flow, number))
        if takes:
            waiting.remove(found.take())
        assert len(found) == len(waiting)
    assert sorted(taken(found)) == sorted(waiting)
