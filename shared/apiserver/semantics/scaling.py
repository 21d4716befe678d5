"""Autoscalers and disruption budgets."""

from shared.apimachinery.manifest import Manifest
from shared.apimachinery.parts import section
from shared.apiserver.semantics.faults import amount, at_least, invalid, required
from shared.errors import FieldError


def judge_autoscaler(manifest: Manifest) -> list[FieldError]:
    """Of autoscaling/v1 and v2, whose differences are no matter here."""
    spec = section(manifest, "spec")
    target, least, most = section(spec, "scaleTargetRef"), spec.get("minReplicas"), 0
    faults = [
        required(f"spec.scaleTargetRef.{name}") for name in ("kind", "name") if not target.get(name)
    ]
    # Some clusters let an autoscaler go down to none.
    faults += at_least(spec, "spec", ("minReplicas",))
    if isinstance(spec.get("maxReplicas"), int):
        most = spec["maxReplicas"]
        if most < 1:
            faults.append(invalid("spec.maxReplicas", most, "must be greater than 0"))
        elif isinstance(least, int) and most < least:
            why = "must be greater than or equal to `minReplicas`"
            faults.append(invalid("spec.maxReplicas", most, why))
    return faults


def judge_budget(manifest: Manifest) -> list[FieldError]:
    spec = section(manifest, "spec")
    faults = [*amount(spec, "minAvailable", "spec"), *amount(spec, "maxUnavailable", "spec")]
    if spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None:
        why = "minAvailable and maxUnavailable cannot be both set"
        faults.append(invalid("spec", "both", why))
    return faults
