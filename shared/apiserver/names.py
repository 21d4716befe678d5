"""Whether an object's metadata is well formed: names, labels, annotations, references. Pure.

Source: `k8s.io/apimachinery/pkg/api/validation` and `pkg/util/validation`.
"""

import re
from collections.abc import Callable
from typing import Any

from shared.apimachinery.manifest import GroupResource
from shared.apimachinery.selectors import check_label_key, check_label_value
from shared.errors import FieldError

ANNOTATIONS_BYTES_MAX = 256 * 1024

_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LABEL_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")


def check_subdomain(name: str) -> str | None:
    """What is wrong with *name* as an RFC 1123 subdomain, or None."""
    if len(name) <= 253 and _SUBDOMAIN.fullmatch(name):
        return None
    if len(name) > 253:
        return "must be no more than 253 characters"
    return (
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, "
        "'-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', "
        "regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?"
        "(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
    )


def check_label(name: str) -> str | None:
    """What is wrong with *name* as an RFC 1123 label, or None."""
    if len(name) <= 63 and _LABEL.fullmatch(name):
        return None
    if len(name) > 63:
        return "must be no more than 63 characters"
    return (
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
        "and must start and end with an alphanumeric character (e.g. 'my-name', or '123-abc', "
        "regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
    )


def check_service_name(name: str) -> str | None:
    """What is wrong with *name* as an RFC 1035 label, or None."""
    if len(name) <= 63 and _LABEL_1035.fullmatch(name):
        return None
    if len(name) > 63:
        return "must be no more than 63 characters"
    return (
        "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with "
        "an alphabetic character, and end with an alphanumeric character (e.g. 'my-name', or "
        "'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
    )


def check_path_segment(name: str) -> str | None:
    """What is wrong with *name* as one segment of a URL's path, or None."""
    if name in (".", ".."):
        return f"may not be '{name}'"
    for sign in ("/", "%"):
        if sign in name:
            return f"may not contain '{sign}'"
    if len(name) > 1024 or not name.isprintable():
        return "must be at most 1024 printable characters"
    return None


_RULES: dict[GroupResource, Callable[[str], str | None]] = {
    GroupResource("", "namespaces"): check_label,
    GroupResource("", "services"): check_service_name,
    **{
        GroupResource("rbac.authorization.k8s.io", resource): check_path_segment
        for resource in ("roles", "rolebindings", "clusterroles", "clusterrolebindings")
    },
}


def check_name(resource: GroupResource, name: str) -> str | None:
    """What is wrong with *name* for that resource, or None."""
    return _RULES.get(resource, check_subdomain)(name)


def check_metadata(
    resource: GroupResource, metadata: dict[str, Any], *, namespaced: bool
) -> list[FieldError]:
    """Every fault in the metadata of an object that is about to be written."""
    faults: list[FieldError] = []
    name = metadata.get("name")
    if not isinstance(name, str) or not name:
        faults.append(
            FieldError(
                "metadata.name",
                "Required value: name or generateName is required",
                "FieldValueRequired",
            )
        )
    elif wrong := check_name(resource, name):
        faults.append(FieldError("metadata.name", f'Invalid value: "{name[:300]}": {wrong}'))
    if namespaced:
        namespace = metadata.get("namespace")
        if not isinstance(namespace, str) or check_label(namespace):
            faults.append(
                FieldError("metadata.namespace", f'Invalid value: "{str(namespace)[:100]}"')
            )
    if metadata.get("labels") is not None:
        faults += _check_map(metadata["labels"], "metadata.labels", values_are_labels=True)
    if metadata.get("annotations") is not None:
        faults += _check_map(
            metadata["annotations"], "metadata.annotations", values_are_labels=False
        )
    if metadata.get("finalizers") is not None:
        faults += _check_finalizers(metadata["finalizers"])
    if metadata.get("ownerReferences") is not None:
        faults += _check_owners(metadata["ownerReferences"])
    return faults


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
        size += len(key) + len(value)
        try:
            # Annotation keys may be written in capitals.
            check_label_key(key if values_are_labels else key.lower())
            if values_are_labels:
                check_label_value(value)
        except ValueError as err:
            faults.append(FieldError(path, f"Invalid value: {err}"))
    if not values_are_labels and size > ANNOTATIONS_BYTES_MAX:
        faults.append(
            FieldError(
                path,
                f"Too long: must have at most {ANNOTATIONS_BYTES_MAX} bytes",
                "FieldValueTooLong",
            )
        )
    return faults


def _check_finalizers(found: Any) -> list[FieldError]:
    path = "metadata.finalizers"
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        return [FieldError(path, "Invalid value: must be a list of strings")]
    faults = []
    for one in found:
        try:
            check_label_key(one)
        except ValueError as err:
            faults.append(FieldError(path, f"Invalid value: {err}"))
    return faults


def _check_owners(found: Any) -> list[FieldError]:
    path = "metadata.ownerReferences"
    if not isinstance(found, list):
        return [FieldError(path, "Invalid value: must be a list", "FieldValueTypeInvalid")]
    faults, controllers = [], 0
    for index, one in enumerate(found):
        if not isinstance(one, dict):
            faults.append(FieldError(f"{path}[{index}]", "Invalid value: must be an object"))
            continue
        controllers += one.get("controller") is True
        faults.extend(
            FieldError(
                f"{path}[{index}].{field}",
                "Required value: must not be empty",
                "FieldValueRequired",
            )
            for field in ("apiVersion", "kind", "name", "uid")
            if not one.get(field) or not isinstance(one[field], str)
        )
    if controllers > 1:
        faults.append(
            FieldError(path, "Invalid value: only one reference can have controller set to true")
        )
    return faults
