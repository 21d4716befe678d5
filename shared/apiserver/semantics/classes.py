"""Classes of priority and of runtime, which pods name."""

from collections.abc import Iterator

from shared.apimachinery import texts
from shared.apimachinery.manifest import Manifest, name_of
from shared.apimachinery.parts import entries, section
from shared.apiserver.semantics.affinity import tolerations
from shared.apiserver.semantics.faults import (
    duplicate,
    forbidden,
    labels,
    required,
    text,
    unsupported,
)
from shared.apiserver.semantics.resources import resources
from shared.errors import FieldError

_USER_PRIORITY_MAX = 1_000_000_000
_SYSTEM = {"system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000}


def judge_priority_class(manifest: Manifest) -> list[FieldError]:
    name, value = name_of(manifest), manifest.get("value") or 0
    faults = []
    if name.startswith("system-"):
        if _SYSTEM.get(name) != value or manifest.get("globalDefault") is True:
            why = "priority class names with 'system-' prefix are reserved for system use only"
            faults.append(forbidden("metadata.name", why))
    elif value > _USER_PRIORITY_MAX:
        why = f"maximum allowed value of a user defined priority is {_USER_PRIORITY_MAX}"
        faults.append(forbidden("value", why))
    policy = manifest.get("preemptionPolicy")
    allowed = ("PreemptLowerPriority", "Never")
    if policy and policy not in allowed:
        faults.append(unsupported("preemptionPolicy", policy, allowed))
    return faults


def judge_runtime_class(manifest: Manifest) -> Iterator[FieldError]:
    handler = manifest.get("handler")
    if not handler:
        yield required("handler")
    else:
        yield from text(handler, "handler", texts.label)
    fixed = section(manifest, "overhead", "podFixed")
    yield from resources({"limits": fixed}, "overhead")
    scheduling = section(manifest, "scheduling")
    yield from labels(section(scheduling, "nodeSelector"), "scheduling.nodeSelector")
    found = entries(scheduling, "tolerations")
    yield from tolerations(found, "scheduling.tolerations")
    for number, one in enumerate(found):
        if one in found[:number]:
            yield duplicate(f"scheduling.tolerations[{number}]", one)
