"""Patterns are read as Go reads them, and none takes longer than its text is long."""

from shared.apimachinery.patterns import find_all, matches, pattern_fault


def test_a_pattern_is_found_anywhere_unless_it_is_anchored():
    assert matches("b+", "abbc")
    assert not matches("^b+$", "abbc")
    assert matches(r"^\pL+\z", "größe")


def test_a_pattern_that_backtracks_for_ever_elsewhere_is_answered_at_once():
    # Python's `re` needs 2^40 steps here: the test would not end.
    assert not matches("^(a+)+$", "a" * 40 + "!")
    assert not matches(r"^(\w+\s?)*$", "word " * 2_000 + "!")


def test_what_go_does_not_read_is_a_fault_in_its_words():
    assert pattern_fault("(") == "error parsing regexp: missing closing ): `(`"
    assert (
        pattern_fault("(?=a)") == "error parsing regexp: invalid or unsupported Perl syntax: `(?=`"
    )
    assert pattern_fault("a{2,1}") == "error parsing regexp: invalid repeat count: `{2,1}`"
    assert pattern_fault("^[a-z]+$") is None


def test_half_a_surrogate_pair_is_a_letter_like_another():
    assert matches("^.$", "\ud800")


def test_finds_come_in_order_and_end_at_the_limit():
    assert find_all("[0-9]+", "a1b22c333") == ["1", "22", "333"]
    assert find_all("[0-9]+", "a1b22c333", 2) == ["1", "22"]
