"""The priority of an object: that of the PriorityClass that its policy or its pods name."""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.api.priority import SchedulePriority
from shared.apimachinery.manifest import Manifest, name_of

NEVER = "Never"


@dataclass(frozen=True, slots=True)
class Rank:
    """*preempts*: whether those of a lower priority give way to it.

    `unknown` is a class that it names and that is not there.
    """

    priority: int = 0
    preempts: bool = False
    unknown: str = ""


PLAIN = Rank()

_SYSTEM = {
    "system-node-critical": Rank(2_000_001_000, preempts=True),
    "system-cluster-critical": Rank(2_000_000_000, preempts=True),
}
"""Every cluster has these, whether the hub has an object for them or not."""


class Ranks:
    """The PriorityClasses there are; of several global defaults the lowest counts, as upstream."""

    def __init__(self) -> None:
        self._classes: dict[str, Rank] = {}
        self._defaults: dict[str, Rank] = {}

    def put(self, manifest: Manifest) -> None:
        name, value = name_of(manifest), manifest.get("value")
        preempts = manifest.get("preemptionPolicy") != NEVER
        rank = Rank(value if isinstance(value, int) else 0, preempts)
        self._classes[name] = rank
        self._defaults.pop(name, None)
        if manifest.get("globalDefault") is True:
            self._defaults[name] = rank

    def drop(self, name: str) -> None:
        self._classes.pop(name, None)
        self._defaults.pop(name, None)

    def of(self, template: Manifest, policy: SchedulePriority | None) -> Rank:
        """Return the rank of a template under a policy that says *policy* of it."""
        if policy is not None and policy.priority_class_source == "KubePriorityClass":
            name = policy.priority_class_name
        else:
            name = class_of(template)
        if name:
            return self._classes.get(name) or _SYSTEM.get(name) or Rank(unknown=name)
        if self._defaults:
            return min(self._defaults.values(), key=lambda one: one.priority)
        return PLAIN


def class_of(template: Manifest) -> str:
    """Return the PriorityClass that the pods of a template name; "" for none."""
    spec = template.get("spec")
    if not isinstance(spec, Mapping):
        return ""
    pods = spec.get("template")
    pod = pods.get("spec") if isinstance(pods, Mapping) else None
    name = pod.get("priorityClassName") if isinstance(pod, Mapping) else None
    return name if isinstance(name, str) else ""
