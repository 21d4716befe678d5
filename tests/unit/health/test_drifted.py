"""The condition Drifted: what members report of drift that stands."""

from services.health.core.drift import with_drifted
from shared.api.binding import DRIFTED, ClusterReport
from shared.api.conditions import find_condition
from shared.api.drift import DriftedField, DriftReport
from shared.api.meta import Condition

SINCE = "2026-01-01T00:00:00Z"
FIELD = DriftedField(path=".spec.replicas", actor="kubectl", ordered="2", found="5")


def a_report(cluster: str, drift: DriftReport | None = None) -> ClusterReport:
    return ClusterReport(cluster=cluster, applied=True, drift=drift)


def drifted(*reports: ClusterReport, before: tuple[Condition, ...] = ()) -> Condition | None:
    found = with_drifted(before, reports, generation=3, now=SINCE)
    return find_condition(found, DRIFTED)


def test_where_nothing_drifted_nothing_is_said() -> None:
    assert drifted(a_report("a")) is None


def test_what_stands_is_said_per_member_with_who_and_since_when() -> None:
    reported = DriftReport(state="Reported", since=SINCE, fields=(FIELD,), more=2)
    gone = DriftReport(state="Reported", change="Deleted", since=SINCE)
    found = drifted(a_report("a", reported), a_report("b"), a_report("c", gone))
    assert found is not None
    assert (found.status, found.reason, found.observed_generation) == ("True", "Reported", 3)
    assert found.message == (
        f"a: .spec.replicas 2 -> 5 by kubectl, 2 more, since {SINCE}; c: deleted, since {SINCE}"
    )


def test_a_fight_says_so_and_it_settles() -> None:
    fight = DriftReport(state="Contested", since=SINCE, fields=(FIELD,))
    found = drifted(a_report("a", fight))
    assert found is not None
    assert found.reason == "Contested"
    assert found.message.endswith("undone again and again, so corrected ever more slowly")
    over = drifted(a_report("a"), before=(found,))
    assert over is not None
    assert (over.status, over.reason, over.message) == ("False", "Settled", "")
