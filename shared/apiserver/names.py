"""Whether an object's metadata is well formed: names, labels, annotations, references. Pure.

Source: `k8s.io/apimachinery/pkg/api/validation` and `pkg/util/validation`.
"""

from collections.abc import Callable, Mapping
from typing import Any

from shared.apimachinery import texts
from shared.apimachinery.manifest import GroupResource
from shared.apimachinery.scalars import shown
from shared.errors import FieldError

ANNOTATIONS_BYTES_MAX = 256 * 1024


def check_subdomain(name: str) -> str | None:
    """What is wrong with *name* as an RFC 1123 subdomain, or None."""
    return next(iter(texts.subdomain(name)), None)


def check_domain_name(name: str) -> str | None:
    """What is wrong with *name* as a name that DNS can hold, or None."""
    return next(iter(texts.domain_name(name)), None)


def check_domain_pattern(name: str) -> str | None:
    """The same, where `*.` may come before it."""
    return next(iter(texts.domain_pattern(name)), None)


def check_label(name: str) -> str | None:
    """What is wrong with *name* as an RFC 1123 label, or None."""
    return next(iter(texts.label(name)), None)


def check_service_name(name: str) -> str | None:
    """What is wrong with *name* as an RFC 1035 label, or None."""
    return next(iter(texts.label_1035(name)), None)


# Since 1.36 a Service may begin with a digit, as everything else may.
_RULES: Mapping[GroupResource, Callable[[str], texts.Faults]] = {
    GroupResource("", "namespaces"): texts.label,
    GroupResource("", "services"): texts.label,
    GroupResource("", "events"): texts.path_segment,
    GroupResource("events.k8s.io", "events"): texts.subdomain,
    GroupResource("policy", "poddisruptionbudgets"): texts.path_segment,
    GroupResource("coordination.k8s.io", "leasecandidates"): texts.config_key,
    GroupResource("networking.k8s.io", "ipaddresses"): texts.canonical_address,
    **{
        GroupResource("rbac.authorization.k8s.io", resource): texts.path_segment
        for resource in ("roles", "rolebindings", "clusterroles", "clusterrolebindings")
    },
}

_STANDARD_FINALIZERS = frozenset({"kubernetes", "orphan", "foregroundDeletion"})
# Groups whose kinds upstream judges as it does custom ones.
_ANY_FINALIZER = frozenset(
    {"admissionregistration.k8s.io", "apiextensions.k8s.io", "coordination.k8s.io"}
)


def check_metadata(
    resource: GroupResource, metadata: dict[str, Any], *, namespaced: bool, custom: bool = True
) -> list[FieldError]:
    """Every fault in the metadata of an object that is about to be written."""
    rule = _RULES.get(resource, texts.subdomain)
    faults: list[FieldError] = []
    name, prefix = metadata.get("name"), metadata.get("generateName")
    if isinstance(prefix, str) and prefix:
        faults += _of_text(prefix, "metadata.generateName", rule, _as_prefix(prefix))
    if not isinstance(name, str) or not name:
        faults.append(
            FieldError(
                "metadata.name",
                "Required value: name or generateName is required",
                "FieldValueRequired",
            )
        )
    else:
        faults += _of_text(name, "metadata.name", rule)
    if namespaced:
        namespace = metadata.get("namespace")
        faults += _of_text(str(namespace), "metadata.namespace", texts.label)
    if metadata.get("labels") is not None:
        faults += _check_map(metadata["labels"], "metadata.labels", values_are_labels=True)
    if metadata.get("annotations") is not None:
        faults += _check_map(
            metadata["annotations"], "metadata.annotations", values_are_labels=False
        )
    if metadata.get("ownerReferences") is not None:
        faults += _check_owners(metadata["ownerReferences"])
    if metadata.get("finalizers") is not None:
        faults += _check_finalizers(metadata["finalizers"])
        if not (custom or faults or resource.group in _ANY_FINALIZER):
            faults += _unqualified_finalizers(metadata["finalizers"])
    return faults


def _as_prefix(prefix: str) -> str:
    """A prefix may end with a dash, as letters follow."""
    return f"{prefix[:-2]}a" if len(prefix) > 1 and prefix.endswith("-") else prefix


def _of_text(
    value: str, path: str, rule: Callable[[str], texts.Faults], judged: str | None = None
) -> list[FieldError]:
    """The faults of *value*, or of what is *judged* in its place."""
    found = rule(value if judged is None else judged)
    return [FieldError(path, f"Invalid value: {shown(value)}: {why}") for why in found]


def _check_map(found: Any, path: str, *, values_are_labels: bool) -> list[FieldError]:
    if not isinstance(found, dict):
        return [FieldError(path, "Invalid value: must be an object", "FieldValueTypeInvalid")]
    faults, size = [], 0
    for key, value in found.items():
        if not isinstance(value, str):
            faults.append(
                FieldError(
                    f"{path}.{key}", "Invalid value: must be a string", "FieldValueTypeInvalid"
                )
            )
            continue
        size += len(key.encode()) + len(value.encode())
        # Annotation keys may be written in capitals.
        faults += _of_text(key, path, texts.label_key, key if values_are_labels else key.lower())
        if values_are_labels:
            faults += _of_text(value, path, texts.label_value)
    if not values_are_labels and size > ANNOTATIONS_BYTES_MAX:
        faults.append(
            FieldError(
                path,
                f"Too long: may not be more than {ANNOTATIONS_BYTES_MAX} bytes",
                "FieldValueTooLong",
            )
        )
    return faults


def _check_finalizers(found: Any) -> list[FieldError]:
    path = "metadata.finalizers"
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        return [FieldError(path, "Invalid value: must be a list of strings")]
    faults = [fault for one in found for fault in _of_text(one, path, texts.label_key)]
    if {"orphan", "foregroundDeletion"} <= set(found):
        why = "finalizer orphan and foregroundDeletion cannot be both set"
        faults.append(FieldError(path, f"Invalid value: {shown(found)}: {why}"))
    return faults


def _unqualified_finalizers(found: list[str]) -> list[FieldError]:
    """Of built-in kinds; others may call theirs what they like."""
    why = "name is neither a standard finalizer name nor is it fully qualified"
    return [
        FieldError(f"metadata.finalizers[{index}]", f"Invalid value: {shown(one)}: {why}")
        for index, one in enumerate(found)
        if "/" not in one and one not in _STANDARD_FINALIZERS
    ]


def _check_owners(found: Any) -> list[FieldError]:
    path = "metadata.ownerReferences"
    if not isinstance(found, list):
        return [FieldError(path, "Invalid value: must be a list", "FieldValueTypeInvalid")]
    faults, controller = [], ""
    for index, one in enumerate(found):
        if not isinstance(one, dict):
            faults.append(FieldError(f"{path}[{index}]", "Invalid value: must be an object"))
            continue
        # Upstream names the list here, not the element.
        for field in ("apiVersion", "kind", "name", "uid"):
            if not one.get(field) or not isinstance(one[field], str):
                why = "version must not be empty" if field == "apiVersion" else "must not be empty"
                faults.append(FieldError(f"{path}.{field}", f'Invalid value: "": {why}'))
        if (one.get("apiVersion"), one.get("kind")) == ("v1", "Event"):
            why = "/v1, Kind=Event is disallowed from being an owner"
            faults.append(FieldError(path, f"Invalid value: {shown(one)}: {why}"))
        if one.get("controller") is not True:
            continue
        this = f"{one.get('kind')}/{one.get('name')}"
        if controller:
            why = (
                'Only one reference can have Controller set to true. Found "true" in references '
                f"for {controller} and {this}"
            )
            faults.append(FieldError(path, f"Invalid value: {shown(found)}: {why}"))
        controller = controller or this
    return faults
