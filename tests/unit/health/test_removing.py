"""The condition Removing: what holds in members what is to be gone there."""

from services.health.core.removing import held_up, with_removing
from shared.api.binding import REMOVING
from shared.api.conditions import find_condition
from shared.events.work import WorkReport

SINCE = "2026-01-01T00:00:00Z"


def a_report(reason: str = "Removing", message: str = "", *, present: bool = True) -> WorkReport:
    return WorkReport(
        generation=1,
        template_uid="u",
        template_generation=1,
        applied=False,
        present=present,
        observed_time=SINCE,
        reason=reason,
        message=message,
    )


def test_only_what_is_held_is_said() -> None:
    reports = {
        "b": a_report(message="held by x"),
        "a": a_report(message="held by y"),
        "at once": a_report(),
        "refused": a_report("Forbidden", "no"),
        "gone": a_report(message="held by z", present=False),
    }
    held = held_up(reports, wanted=reports)
    assert dict(held) == {"a": "held by y", "b": "held by x"}
    found = find_condition(with_removing((), held, generation=2, now=SINCE), REMOVING)
    assert found is not None
    assert (found.status, found.reason) == ("True", "HeldByFinalizers")
    assert found.message == "a: held by y; b: held by x"


def test_where_it_is_not_wanted_any_more_refusals_and_silence_are_said_too() -> None:
    reports = {
        "refusing": a_report("Forbidden", "no"),
        "silent": a_report(""),
        "at once": a_report(""),
        "wanted": a_report("Invalid", "no such field"),
    }
    held = held_up(reports, wanted={"wanted"}, silent={"silent", "wanted"})
    found = find_condition(with_removing((), held, generation=2, now=SINCE), REMOVING)
    assert found is not None
    assert found.message == "refusing: Forbidden: no; silent: nothing is heard of the cluster"
    assert found.reason == "Unreachable"


def test_it_ends_and_is_not_there_where_nothing_ever_was_held() -> None:
    assert with_removing((), {}, generation=1, now=SINCE) == ()
    held = with_removing((), {"a": "held by x"}, generation=1, now=SINCE)
    over = find_condition(with_removing(held, {}, generation=1, now=SINCE), REMOVING)
    assert over is not None
    assert (over.status, over.reason) == ("False", "Removed")
