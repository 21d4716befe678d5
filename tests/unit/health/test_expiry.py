"""That credentials end is said before they do."""

from datetime import timedelta

import pytest

from services.health.core.cluster_status import Assessment, status_after
from services.health.core.facts import facts_of
from services.health.core.side_conditions import CREDENTIALS_EXPIRING
from services.health.core.verdict import judge
from shared.api.cluster import Cluster, ClusterStatus
from shared.api.conditions import find_condition
from shared.api.meta import ObjectMeta
from shared.clock import format_time
from shared.events.cluster import ClusterCredentialsExpiring, Observation, Reach
from tests.unit.health.test_verdict import NOW, a_word

WEEK = timedelta(days=7)


def word(left: timedelta | None, reach: Reach = Reach.REACHABLE) -> Observation:
    ends = format_time(NOW + left) if left is not None else ""
    return a_word(reach, credentials_expire=ends)


def after(status: ClusterStatus, one: Observation) -> ClusterStatus:
    return status_after(
        status, Assessment(verdict=judge([one]), observations=[one], expiry_warning=WEEK), now=NOW
    )


@pytest.mark.parametrize(
    ("left", "status", "reason"),
    [
        (timedelta(days=30), "False", "ExpireLater"),
        (timedelta(days=6), "True", "ExpireSoon"),
        (timedelta(days=-1), "True", "Expired"),
    ],
)
def test_row_26_credentials_that_end_soon_are_told_of(
    left: timedelta, status: str, reason: str
) -> None:
    """Certificates expired and everything stopped: karmada#4787 and others."""
    found = after(ClusterStatus(), word(left))
    condition = find_condition(found.conditions, CREDENTIALS_EXPIRING)
    assert condition is not None
    assert (condition.status, condition.reason) == (status, reason)
    assert format_time(NOW + left) in condition.message
    told = [
        due.fact
        for due in facts_of(Cluster(metadata=ObjectMeta(name="eu-1")), found, [word(left)])
        if isinstance(due.fact, ClusterCredentialsExpiring)
    ]
    assert bool(told) is (status == "True")
    # It is a warning: nothing is moved or kept away for it.
    assert found.taints == ()


def test_what_never_ends_is_not_spoken_of_and_new_credentials_end_the_warning() -> None:
    soon = after(ClusterStatus(), word(timedelta(days=1)))
    assert find_condition(after(soon, word(None)).conditions, CREDENTIALS_EXPIRING) is None
    later = find_condition(after(soon, word(timedelta(days=90))).conditions, CREDENTIALS_EXPIRING)
    assert later is not None
    assert later.status == "False"


def test_a_silent_member_is_warned_of_all_the_same() -> None:
    found = after(ClusterStatus(), word(timedelta(days=1), Reach.UNREACHABLE))
    assert find_condition(found.conditions, CREDENTIALS_EXPIRING) is not None
