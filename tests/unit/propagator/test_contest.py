"""Two who keep undoing each other are slowed down, and it ends by itself."""

from services.propagator.core.contest import CONTESTED, FREE, WAIT_SECONDS_MAX, Contest


def fight(corrections: int) -> tuple[Contest, float, list[float]]:
    """Undo each of *corrections* at once; returns the waits."""
    contest, now, waits = Contest(), 1_000.0, []
    for _ in range(corrections):
        wait = contest.delay(now)
        waits.append(wait)
        now += wait
        contest.corrected(now, "then")
    return contest, now, waits


def test_the_first_corrections_come_at_once_and_then_ever_more_slowly() -> None:
    _, _, waits = fight(16)
    assert waits[:FREE] == [0.0] * FREE
    later = waits[FREE:]
    assert later == sorted(later)
    assert later[0] > 0
    assert waits[-1] == WAIT_SECONDS_MAX


def test_it_is_a_fight_after_some_and_over_once_nothing_is_undone() -> None:
    contest, now, _ = fight(CONTESTED - 1)
    assert not contest.is_on
    contest.corrected(now, "then")
    assert contest.is_on
    assert not contest.is_over(now + contest.quiet - 1)
    assert contest.is_over(now + contest.quiet)


def test_what_drifts_now_and_then_is_never_slowed() -> None:
    contest = Contest()
    for hour in range(20):
        now = 3_600.0 * (hour + 1)
        assert contest.delay(now) == 0.0
        contest.corrected(now, str(hour))
    assert (contest.corrections, contest.since) == (1, "19")


def test_a_long_fight_is_not_forgotten_while_it_waits() -> None:
    contest, now, _ = fight(14)
    assert contest.delay(now) == WAIT_SECONDS_MAX
    contest.corrected(now + WAIT_SECONDS_MAX, "later")
    assert contest.is_on
