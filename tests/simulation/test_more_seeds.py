"""The second hundred seeds, and some with propagators beside members.

A module is run by one process: in two they end sooner.
"""

import pytest

from tests.simulation.seeds import assert_all_hold


@pytest.mark.timeout(900)
def test_all_holds_in_every_further_seed() -> None:
    assert_all_hold(101, 100)


@pytest.mark.timeout(900)
def test_what_is_fenced_runs_in_one_member_in_every_seed() -> None:
    assert_all_hold(1, 8, "--fenced", "--deeds", "35")


@pytest.mark.timeout(900)
def test_services_of_many_members_agree_in_every_seed() -> None:
    assert_all_hold(1, 6, "--traffic")


@pytest.mark.timeout(900)
def test_what_is_left_of_a_deleted_template_makes_way_in_every_seed() -> None:
    assert_all_hold(63, 4, "--replacing")
