"""Groups of like size: found nearer and nearer, as if every size had been tried."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.scheduler.core.claims import Claims
from services.scheduler.core.division import spreading
from services.scheduler.core.replicas import Bounds, Division

GROUPS = {"r1": ("a", "b"), "r2": ("c",), "r3": ("d",)}
NAMES = "abcd"
counts = st.integers(0, 90)


@st.composite
def claims(draw):
    most = st.none() | counts
    return Claims(
        weights={name: draw(st.integers(0, 9)) for name in NAMES},
        now={name: draw(counts) for name in NAMES if draw(st.booleans())},
        bounds={name: Bounds(0, draw(most)) for name in NAMES},
    )


def level(replicas, found, skew, *, sticky):
    """Return the totals of the groups, each as if its first cluster took the whole."""

    def part(total, names):
        return Division({names[0]: total}, 0)

    return spreading.divide_level(replicas, found, GROUPS, skew, part, sticky=sticky).shares


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 200), claims(), st.integers(1, 120), st.booleans())
def test_nearer_and_nearer_finds_what_trying_all_finds(replicas, found, skew, sticky):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spreading, "_SIZES_MAX", 10**9)
        every = level(replicas, found, skew, sticky=sticky)
        patch.setattr(spreading, "_SIZES_MAX", 4)
        nearer = level(replicas, found, skew, sticky=sticky)
    if not sticky:
        assert nearer == every
        return
    # Of several sizes for which as few move, any is as good.
    assert sum(nearer.values()) == sum(every.values())
    assert _moved(found, nearer) == _moved(found, every)
    assert max(nearer.values()) - min(nearer.values()) <= skew


def _moved(found, shares):
    totals = {names[0]: sum(found.now.get(one, 0) for one in names) for names in GROUPS.values()}
    return sum(abs(shares[name] - total) for name, total in totals.items())


@pytest.mark.parametrize("sticky", [False, True])
def test_as_many_replicas_as_can_be_asked_for_are_divided_all_the_same(sticky):
    found = Claims(weights={"a": 9, "b": 0, "c": 1, "d": 2}, now={}, bounds={})
    shares = level(2**31 - 1, found, 2**31 - 1, sticky=sticky)
    assert sum(shares.values()) == 2**31 - 1
    assert shares["a"] > shares["d"] > shares["c"]
