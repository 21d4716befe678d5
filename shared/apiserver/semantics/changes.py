"""What may not change once an object is written. Both states are judged with their defaults.

A federation is looser in two places. A claim's size may be changed before it is bound, since it is
never bound here but in its members; and an address that no server gave may be taken back.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from shared.apimachinery.manifest import GroupResource, Manifest
from shared.apimachinery.parts import entries, section
from shared.apimachinery.scalars import shown
from shared.apiserver.semantics.faults import forbidden, invalid, strings
from shared.apiserver.semantics.storage import volume_sources
from shared.errors import FieldError

Change = Callable[[Manifest, Manifest], Iterator[FieldError]]
_HEADLESS = "None"
_PODS = GroupResource("", "pods")
_EPHEMERAL_PATH = "spec.ephemeralContainers"
_IMMUTABLE = "field is immutable"
_STATEFUL = (
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
)
_OF_JOBS = (
    "selector",
    "completionMode",
    "podFailurePolicy",
    "backoffLimitPerIndex",
    "managedBy",
    "successPolicy",
)
_POD_FIELDS = (
    "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
    "`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
_POD_MUTABLE = frozenset(("activeDeadlineSeconds", "tolerations", "schedulingGates", "nodeName"))
_SCHEDULING = ("nodeSelector", "tolerations", "schedulingGates", "affinity")


def _fixed(*paths: str) -> Change:
    """Fields that stay as they are, of an object as a whole or below its spec."""

    def judge(old: Manifest, new: Manifest) -> Iterator[FieldError]:
        for path in paths:
            parent, _, name = path.rpartition(".")
            before, after = (section(one, parent) if parent else one for one in (old, new))
            if before.get(name) != after.get(name):
                yield invalid(path, after.get(name), _IMMUTABLE)

    return judge


def _stateful_set(old: Manifest, new: Manifest) -> Iterator[FieldError]:
    before, after = section(old, "spec"), section(new, "spec")
    if _without(before, _STATEFUL) != _without(after, _STATEFUL):
        # Upstream's order of words is not that of its code.
        *first, last = (f"'{name}'" for name in _STATEFUL)
        why = f"updates to statefulset spec for fields other than {', '.join(first)} and {last}"
        yield forbidden("spec", f"{why} are forbidden")


def _without(spec: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: value for name, value in spec.items() if name not in names}


def _job(old: Manifest, new: Manifest) -> Iterator[FieldError]:
    before, after = section(old, "spec"), section(new, "spec")
    for name in _OF_JOBS:
        if before.get(name) != after.get(name):
            yield invalid(f"spec.{name}", after.get(name), _IMMUTABLE)
    # What is not said is 1 only as long as nothing is said of parallelism either.
    if after.get("completions") not in (None, before.get("completions")):
        if after.get("completionMode") != "Indexed":
            yield invalid("spec.completions", after.get("completions"), _IMMUTABLE)
        elif after.get("completions") != after.get("parallelism"):
            why = "can only be modified in tandem with spec.parallelism"
            yield invalid("spec.completions", after.get("completions"), why)
    # One that is suspended may still be told where and how to run.
    suspended = before.get("suspend") is True
    was, found = (section(one, "template") for one in (before, after))
    if suspended:
        was, found = _placeless(was), _placeless(found)
    if was != found:
        yield invalid("spec.template", after.get("template"), _IMMUTABLE)


def _placeless(template: Mapping[str, Any]) -> dict[str, Any]:
    """A template without what says where its pods run, and with how much."""
    pods = _without(section(template, "spec"), _SCHEDULING)
    for part in ("containers", "initContainers"):
        pods[part] = [_without(one, ("resources",)) for one in entries(pods, part)]
    return {"spec": pods}


def _pod(old: Manifest, new: Manifest) -> Iterator[FieldError]:
    before, after = section(old, "spec"), section(new, "spec")
    for part in ("containers", "initContainers"):
        if len(entries(before, part)) != len(entries(after, part)):
            yield forbidden(f"spec.{part}", "pod updates may not add or remove containers")
            return
    least, found = before.get("activeDeadlineSeconds"), after.get("activeDeadlineSeconds")
    if isinstance(least, int) and (found is None or found > least):
        rule = "must not update from a positive integer to nil value"
        if found is not None:
            rule = "must be less than or equal to previous value"
        yield invalid("spec.activeDeadlineSeconds", found, rule)
        return
    kept = [_without(one, ("tolerationSeconds",)) for one in entries(after, "tolerations")]
    for one in entries(before, "tolerations"):
        if _without(one, ("tolerationSeconds",)) not in kept:
            why = "existing toleration can not be modified except its tolerationSeconds"
            yield forbidden("spec.tolerations", why)
            break
    gates = [one.get("name") for one in entries(before, "schedulingGates")]
    for index, one in enumerate(entries(after, "schedulingGates")):
        if one.get("name") not in gates:
            why = f"only deletion is allowed, but found new scheduling gate '{one.get('name')}'"
            yield forbidden(f"spec.schedulingGates[{index}].name", why)
    if _imageless(before) != _imageless(after) or before.get("nodeName") not in (
        None,
        after.get("nodeName"),
    ):
        yield forbidden("spec", f"pod updates may not change fields other than {_POD_FIELDS}")


def _ephemeral(old: Manifest, new: Manifest) -> Iterator[FieldError]:
    """Those that are there stay, in any order."""
    after = {one.get("name"): one for one in entries(section(new, "spec"), "ephemeralContainers")}
    for one in entries(section(old, "spec"), "ephemeralContainers"):
        name = one.get("name")
        if after.get(name) != one:
            what = "changed" if name in after else "removed"
            why = f"existing ephemeral containers {shown(name)} may not be {what}\n"
            yield forbidden(_EPHEMERAL_PATH, why)


def _imageless(spec: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in spec.items() if name not in _POD_MUTABLE}
    for part in ("containers", "initContainers"):
        # Of a moving tag and of a fixed one the policy of pulling differs by default.
        changing = ("image", "imagePullPolicy")
        kept[part] = [_without(one, changing) for one in entries(spec, part)]
    return kept


def _sealed(*parts: str) -> Change:
    """The contents of a ConfigMap or Secret that was declared immutable."""

    def judge(old: Manifest, new: Manifest) -> Iterator[FieldError]:
        if old.get("immutable") is not True:
            return
        why = "field is immutable when `immutable` is set"
        if new.get("immutable") is not True:
            yield forbidden("immutable", why)
        for part in parts:
            if (old.get(part) or {}) != (new.get(part) or {}):
                yield forbidden(part, why)

    return judge


def _secret(old: Manifest, new: Manifest) -> Iterator[FieldError]:
    if old.get("type") != new.get("type"):
        yield invalid("type", new.get("type"), _IMMUTABLE)
    yield from _sealed("data")(old, new)


def _binding(old: Manifest, new: Manifest) -> Iterator[FieldError]:
    if old.get("roleRef") != new.get("roleRef"):
        yield invalid("roleRef", new.get("roleRef"), "cannot change roleRef")


def _claim(old: Manifest, new: Manifest) -> Iterator[FieldError]:
    before, after = section(old, "spec"), section(new, "spec")
    bound = bool(before.get("volumeName"))
    mutable = ("resources", "volumeAttributesClassName", *(() if bound else ("volumeName",)))
    if _without(before, mutable) != _without(after, mutable):
        why = (
            "spec is immutable after creation except resources.requests and "
            "volumeAttributesClassName for bound claims"
        )
        yield forbidden("spec", why)


def _volume(old: Manifest, new: Manifest) -> Iterator[FieldError]:
    before, after = section(old, "spec"), section(new, "spec")
    if volume_sources(before) != volume_sources(after):
        why = "spec.persistentvolumesource is immutable after creation"
        yield forbidden("spec.persistentvolumesource", why)
    if before.get("volumeMode") != after.get("volumeMode"):
        yield invalid("volumeMode", after.get("volumeMode"), _IMMUTABLE)


def _service(old: Manifest, new: Manifest) -> Iterator[FieldError]:
    before, after = section(old, "spec"), section(new, "spec")
    if "ExternalName" in (before.get("type"), after.get("type")):
        return
    was, found = held_addresses(before), _addresses(after)
    if was and found and was[0] != found[0]:
        yield invalid("spec.clusterIPs[0]", found, "may not change once set")
    elif was and not found:
        yield invalid("spec.clusterIPs[0]", found, "primary clusterIP can not be unset")
    balanced = before.get("type") == after.get("type") == "LoadBalancer"
    if balanced and before.get("loadBalancerClass") != after.get("loadBalancerClass"):
        found_class = after.get("loadBalancerClass")
        yield invalid("spec.loadBalancerClass", found_class, "may not change once set")


def held_addresses(spec: Mapping[str, Any]) -> list[str]:
    """Return the addresses that a Service has, and not only asks for.

    A server that gives addresses notes each in `clusterIPs`. A hub gives none: what it holds is a
    wish, which members may refuse and its writer may then take back. To have none is no wish.
    """
    noted = list(strings(spec.get("clusterIPs")))
    return noted or ([_HEADLESS] if spec.get("clusterIP") == _HEADLESS else [])


def _addresses(spec: Mapping[str, Any]) -> list[str]:
    first = spec.get("clusterIP")
    return list(strings(spec.get("clusterIPs"))) or ([str(first)] if first else [])


def _priority_class(old: Manifest, new: Manifest) -> Iterator[FieldError]:
    if (old.get("value") or 0) != (new.get("value") or 0):
        yield forbidden("value", "may not be changed in an update.")
    yield from _fixed("preemptionPolicy")(old, new)


def _quota(old: Manifest, new: Manifest) -> Iterator[FieldError]:
    before, after = (set(strings(section(one, "spec").get("scopes"))) for one in (old, new))
    if before != after:
        yield invalid("spec.scopes", sorted(after), _IMMUTABLE)


_RBAC = "rbac.authorization.k8s.io"
_STORAGE = "storage.k8s.io"
_CHANGES: Mapping[GroupResource, Change] = {
    GroupResource("", "configmaps"): _sealed("data", "binaryData"),
    GroupResource("", "persistentvolumeclaims"): _claim,
    GroupResource("", "persistentvolumes"): _volume,
    _PODS: _pod,
    GroupResource("", "resourcequotas"): _quota,
    GroupResource("", "secrets"): _secret,
    GroupResource("", "services"): _service,
    GroupResource("apps", "controllerrevisions"): _fixed("data"),
    GroupResource("apps", "daemonsets"): _fixed("spec.selector"),
    GroupResource("apps", "deployments"): _fixed("spec.selector"),
    GroupResource("apps", "replicasets"): _fixed("spec.selector"),
    GroupResource("apps", "statefulsets"): _stateful_set,
    GroupResource("batch", "jobs"): _job,
    GroupResource("discovery.k8s.io", "endpointslices"): _fixed("addressType"),
    GroupResource("networking.k8s.io", "ingressclasses"): _fixed("spec.controller"),
    GroupResource("node.k8s.io", "runtimeclasses"): _fixed("handler"),
    GroupResource(_RBAC, "clusterrolebindings"): _binding,
    GroupResource(_RBAC, "rolebindings"): _binding,
    GroupResource("scheduling.k8s.io", "priorityclasses"): _priority_class,
    GroupResource(_STORAGE, "storageclasses"): _fixed(
        "parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"
    ),
    GroupResource(_STORAGE, "volumeattachments"): _fixed("spec"),
}

_CHANGES_OF_PARTS: Mapping[tuple[GroupResource, str], Change] = {
    (_PODS, "ephemeralcontainers"): _ephemeral,
}


def judge_beginning(resource: GroupResource, new: Manifest) -> list[FieldError]:
    """Return what may not be there yet in a new object."""
    if resource == _PODS and section(new, "spec").get("ephemeralContainers"):
        return [forbidden(_EPHEMERAL_PATH, "cannot be set on create")]
    return []


def judge_change(
    resource: GroupResource, old: Manifest, new: Manifest, part: str = ""
) -> list[FieldError]:
    """Return what of *old* may not be as it is in *new*; both have their defaults.

    *part*: the subresource through which it is written.
    """
    change = _CHANGES_OF_PARTS.get((resource, part)) or _CHANGES.get(resource)
    return [] if change is None else list(change(old, new))
