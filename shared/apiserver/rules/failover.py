"""Rules for failover beyond its schema. Pure."""

from collections.abc import Iterable

from shared.api.failover import Failover, StatePreservation
from shared.apimachinery.selectors import check_label_key
from shared.apiserver.json_path import compile_path
from shared.apiserver.rules.selection import forbidden, required, wrong
from shared.errors import FieldError


def check_failover(failover: Failover, path: str) -> Iterable[FieldError]:
    yield from _check_state(failover.cluster.state_preservation, f"{path}.cluster")
    application = failover.application
    if application is None:
        return
    within = f"{path}.application"
    seconds = application.decision_conditions.toleration_seconds
    if seconds < 0:
        where = f"{within}.decisionConditions.tolerationSeconds"
        yield wrong(where, seconds, "must not be negative")
    grace = application.grace_period_seconds
    if grace is not None and grace <= 0:
        yield wrong(f"{within}.gracePeriodSeconds", grace, "must be greater than 0")
    if grace is not None and application.purge_mode != "Gracefully":
        why = "only takes effect with purgeMode Gracefully"
        yield forbidden(f"{within}.gracePeriodSeconds", why)
    yield from _check_state(application.state_preservation, within)


def _check_state(state: StatePreservation | None, path: str) -> Iterable[FieldError]:
    if state is None:
        return
    rules = f"{path}.statePreservation.rules"
    if not state.rules:
        yield required(rules, "state is preserved by rules")
    for index, rule in enumerate(state.rules):
        try:
            check_label_key(rule.alias_label_name)
        except ValueError as err:
            yield wrong(f"{rules}[{index}].aliasLabelName", rule.alias_label_name, str(err))
        try:
            compile_path(rule.json_path)
        except ValueError as err:
            yield wrong(f"{rules}[{index}].jsonPath", rule.json_path, str(err))
