"""Rules for WorkloadRebalancer beyond its schema. Pure."""

from shared.api.rebalancer import WorkloadRebalancer
from shared.apiserver.rules.selection import required, wrong
from shared.errors import FieldError


def check_rebalancer(rebalancer: WorkloadRebalancer) -> list[FieldError]:
    faults: list[FieldError] = []
    spec = rebalancer.spec
    if not spec.workloads:
        faults.append(required("spec.workloads", "at least one workload to be placed anew"))
    for index, workload in enumerate(spec.workloads):
        path = f"spec.workloads[{index}]"
        for field, text in (
            ("apiVersion", workload.api_version),
            ("kind", workload.kind),
            ("name", workload.name),
        ):
            if not text:
                faults.append(required(f"{path}.{field}", "the object is named by it"))
        if workload in spec.workloads[:index]:
            text = f"{workload.kind} {workload.namespace}/{workload.name}"
            duplicate = FieldError(path, f'Duplicate value: "{text}"', "FieldValueDuplicate")
            faults.append(duplicate)
    seconds = spec.ttl_seconds_after_finished
    if seconds is not None and seconds < 0:
        where = "spec.ttlSecondsAfterFinished"
        faults.append(wrong(where, seconds, "must be greater than or equal to 0"))
    return faults
