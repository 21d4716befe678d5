"""What is wrong with a member, or with us, that is no reason to move anything.

Credentials that are refused, answers that are slow and observers that disagree are conditions of
their own: none of them fails a cluster over.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from services.health.core.panel import Panel
from services.health.core.verdict import Verdict
from shared.api.conditions import find_condition, with_condition, without_condition
from shared.api.meta import Condition
from shared.clock import format_time, parse_time
from shared.events.cluster import Observation, Reach

CREDENTIALS_ACCEPTED = "CredentialsAccepted"
OBSERVERS_AGREE = "ObserversAgree"
"""There where there are several; False while some reach the member and others do not."""
CREDENTIALS_EXPIRING = "CredentialsExpiring"
"""There where credentials end some day; True when that is soon."""
SLOW = "Slow"
"""There once the member answered slowly or asked for fewer requests."""

Conditions = tuple[Condition, ...]


def with_credentials(
    conditions: Conditions, observations: Sequence[Observation], verdict: Verdict, *, now: str
) -> Conditions:
    refusals = [each.refusal for each in observations if each.refusal]
    if refusals:
        new = _condition(CREDENTIALS_ACCEPTED, "False", "Forbidden", refusals[0])
    elif verdict.reach is Reach.CREDENTIALS_REFUSED:
        new = _condition(CREDENTIALS_ACCEPTED, "False", "Unauthorized", verdict.message)
    elif verdict.reach is Reach.REACHABLE:
        new = _condition(CREDENTIALS_ACCEPTED, "True", "Accepted", "")
    else:
        return conditions
    return _unless_known(conditions, new, now)


def with_expiry(
    conditions: Conditions, observations: Sequence[Observation], warning: timedelta, now: datetime
) -> Conditions:
    """The observers use the same credentials; the newest word counts, while they are changed."""
    newest = max(observations, key=lambda each: each.observed_time, default=None)
    if newest is None:
        return conditions
    if not newest.credentials_expire:
        return without_condition(conditions, CREDENTIALS_EXPIRING)
    ends = newest.credentials_expire
    left = parse_time(ends) - now
    if left <= timedelta(0):
        new = _condition(CREDENTIALS_EXPIRING, "True", "Expired", f"they ended at {ends}")
    elif left < warning:
        new = _condition(CREDENTIALS_EXPIRING, "True", "ExpireSoon", f"they end at {ends}")
    else:
        new = _condition(CREDENTIALS_EXPIRING, "False", "ExpireLater", f"they end at {ends}")
    old = find_condition(conditions, CREDENTIALS_EXPIRING)
    if old is not None and old.message == new.message:
        return _unless_known(conditions, new, format_time(now))
    return with_condition(conditions, new, now=format_time(now))


def with_agreement(
    conditions: Conditions, verdict: Verdict, panel: Panel, *, now: str
) -> Conditions:
    if len(panel.observers) < 2:
        return without_condition(conditions, OBSERVERS_AGREE)
    if verdict.dissent:
        new = _condition(OBSERVERS_AGREE, "False", "Disagree", verdict.dissent)
        return with_condition(conditions, new, now=now)
    return _unless_known(conditions, _condition(OBSERVERS_AGREE, "True", "Agree", ""), now)


def with_slow(
    conditions: Conditions, observations: Sequence[Observation], limit: timedelta, *, now: str
) -> Conditions:
    """Slow is a member whose quickest answer to anybody takes *limit*, until it takes half of it.

    Without an answer nothing is known, and the last word stands.
    """
    answers = [each for each in observations if each.reach is Reach.REACHABLE]
    known = [each.latency_milliseconds for each in answers]
    latencies = [one for one in known if one is not None]
    if not answers or not latencies:
        return conditions
    quickest, bound = min(latencies), limit.total_seconds() * 1000
    old = find_condition(conditions, SLOW)
    was_slow = old is not None and old.status == "True"
    if all(each.throttled for each in answers):
        message = "it asks for fewer requests (429)"
        return _unless_known(conditions, _condition(SLOW, "True", "Throttled", message), now)
    if quickest >= (bound / 2 if was_slow else bound):
        message = f"the quickest answer took {quickest / 1000:.1f} s"
        return _unless_known(conditions, _condition(SLOW, "True", "SlowAnswers", message), now)
    if old is None:
        return conditions
    return _unless_known(conditions, _condition(SLOW, "False", "AnswersInTime", ""), now)


def _condition(kind: str, status: str, reason: str, message: str) -> Condition:
    return Condition(type=kind, status=status, reason=reason, message=message)


def _unless_known(conditions: Conditions, new: Condition, now: str) -> Conditions:
    """A message alone is no news: observers say it in other words from probe to probe."""
    old = find_condition(conditions, new.type)
    if old is not None and (old.status, old.reason) == (new.status, new.reason):
        return conditions
    return with_condition(conditions, new, now=now)
