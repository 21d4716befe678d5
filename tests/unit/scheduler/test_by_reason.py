"""Members by number, and reasons kept for sets of them, say what names and dicts of them say."""

from hypothesis import given
from hypothesis import strategies as st

from services.scheduler.core.by_reason import ByReason, less, overlaid
from services.scheduler.core.decision import Rejection, RejectionCode, describe_rejections
from services.scheduler.core.replicas import divide, would_stay
from services.scheduler.core.roll import Roll

NAMES = [f"member-{number:02d}" for number in range(40)]
ROLL = Roll(NAMES)
REASONS = [Rejection(RejectionCode.NOT_READY, text) for text in ("one", "two", "three")]

some = st.sets(st.sampled_from(NAMES))
out = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(REASONS)).map(
    lambda found: dict(sorted(found.items()))
)


@given(some, st.integers(0, 50))
def test_a_set_of_members_is_had_again(names, count):
    mask = ROLL.mask(names)
    assert ROLL.named(mask) == sorted(names)
    assert ROLL.first(mask, count) == sorted(names)[:count]
    assert mask.bit_count() == len(names)
    assert ROLL.named(ROLL.everyone & ~mask) == sorted(set(NAMES) - names)


def test_who_is_not_on_the_roll_is_in_no_set():
    assert ROLL.mask(["stranger"]) == 0
    assert ROLL.mask(["stranger", NAMES[-1]]) == 1 << 39


@given(out)
def test_reasons_read_like_a_dict(reasons):
    found = ByReason.of(ROLL, reasons)
    assert found == reasons
    assert reasons == found
    assert dict(found.items()) == reasons
    assert len(found) == len(reasons)
    assert {name for name in [*NAMES, "stranger"] if name in found} == set(reasons)
    assert found.get("stranger") is None
    assert describe_rejections(found) == describe_rejections(reasons)


@given(out, out)
def test_what_is_said_over_it_counts(reasons, over):
    expected = {**reasons, **over}
    for given_over in (over, ByReason.of(ROLL, over)):
        assert overlaid(ByReason.of(ROLL, reasons), given_over) == expected
        assert overlaid(reasons, given_over) == expected


@given(out, some)
def test_some_can_be_left_out(reasons, names):
    expected = {name: why for name, why in reasons.items() if name not in names}
    assert less(ByReason.of(ROLL, reasons), names) == expected
    assert less(reasons, names) == expected
    within = ByReason.of(ROLL, reasons).within(ROLL.mask(names))
    assert within == {name: why for name, why in reasons.items() if name in names}


def test_who_has_left_the_fleet_can_be_told_of():
    found = overlaid(ByReason.of(ROLL, {NAMES[0]: REASONS[0]}), {"gone": REASONS[1]})
    assert found == {NAMES[0]: REASONS[0], "gone": REASONS[1]}


weights = st.dictionaries(st.sampled_from(NAMES[:8]), st.integers(1, 4), min_size=1)


@given(weights, st.integers(1, 12), st.permutations(NAMES[:8]), st.data())
def test_shares_stay_where_the_weights_would_give_them_again(stated, count, order, data):
    shares = divide(count, stated, {}, tie_break=data.draw(st.permutations(NAMES[:8]))).shares
    if data.draw(st.booleans()):
        one, other = data.draw(st.tuples(st.sampled_from(sorted(shares)), st.sampled_from(order)))
        if other in stated:
            shares[one] -= 1
            shares[other] = shares.get(other, 0) + 1
            shares = {name: share for name, share in shares.items() if share}
    heaviest = max((stated[name] for name in stated if name not in shares), default=0)
    again = divide(count, stated, {}, tie_break=order, near=shares).shares
    assert would_stay(shares, stated, heaviest) == (again == shares)
