"""Rules for quotas beyond their schema. Pure."""

from collections.abc import Iterable, Mapping

from shared.api.quota import FederatedResourceQuota, GroupQuota
from shared.apiserver.names import check_label
from shared.apiserver.rules.selection import required, wrong
from shared.errors import FieldError
from shared.interpreter.quota import counted, hard_of, nanos, total


def check_quota(quota: FederatedResourceQuota) -> list[FieldError]:
    spec = quota.spec
    faults = list(_check_amounts(spec.limits, "spec.overall"))
    if not spec.overall:
        faults.append(required("spec.overall", "at least one limit"))
    seen: set[str] = set()
    for index, one in enumerate(spec.static_assignments):
        path = f"spec.staticAssignments[{index}]"
        if why := check_label(one.cluster_name):
            faults.append(wrong(f"{path}.clusterName", one.cluster_name, why))
        elif one.cluster_name in seen:
            text = f'Duplicate value: "{one.cluster_name}"'
            faults.append(FieldError(f"{path}.clusterName", text, "FieldValueDuplicate"))
        seen.add(one.cluster_name)
        faults += _check_amounts(one.limits, f"{path}.hard")
    if not faults:
        faults += _check_sums(quota)
    return faults


def check_group_quota(quota: GroupQuota | None, path: str) -> Iterable[FieldError]:
    if quota is None:
        return
    if not quota.hard:
        yield required(f"{path}.hard", "at least one limit")
    yield from _check_amounts(quota.limits, f"{path}.hard")


def _check_amounts(amounts: Mapping[str, str], path: str) -> Iterable[FieldError]:
    for name, text in amounts.items():
        where = f"{path}[{name}]"
        if not counted(name):
            yield wrong(where, name, "only what pods ask for, and pods, are counted")
            continue
        try:
            amount = nanos(text)
        except ValueError as err:
            yield wrong(where, text, str(err))
        else:
            if amount < 0:
                yield wrong(where, text, "must be greater than or equal to 0")


def _check_sums(quota: FederatedResourceQuota) -> Iterable[FieldError]:
    assigned = total(hard_of(one.limits) for one in quota.spec.static_assignments)
    for name, amount in sorted(hard_of(quota.spec.limits).items()):
        if assigned.get(name, 0) > amount:
            why = f"the assignments exceed what there is of {name} in all"
            yield wrong("spec.staticAssignments", name, why)
