"""Rules for OverridePolicy and ClusterOverridePolicy beyond their schema. Pure."""

import re
from collections.abc import Iterable

from shared.api.override import (
    CommandOverrider,
    ImageOverrider,
    MapOverrider,
    OverridePolicy,
    Overriders,
    PlaintextOverrider,
)
from shared.apimachinery.selectors import check_label_key, check_label_value
from shared.apiserver.rules.selection import (
    check_affinity,
    check_resource_selectors,
    forbidden,
    required,
    wrong,
)
from shared.errors import FieldError

# RFC 6901: every token begins with a slash; a tilde is written ~0, a slash ~1.
_POINTER = re.compile(r"(/([^~/]|~0|~1)*)+")
# What an object is called, and who its server-side writers are, is not a matter of the cluster.
_IDENTITY = (
    "/apiVersion",
    "/kind",
    "/metadata/name",
    "/metadata/namespace",
    "/metadata/uid",
    "/metadata/generateName",
    "/metadata/resourceVersion",
    "/metadata/managedFields",
    "/metadata/ownerReferences",
    "/status",
)


def check_override(policy: OverridePolicy) -> list[FieldError]:
    spec = policy.spec
    faults: list[FieldError] = list(
        check_resource_selectors(
            spec.resource_selectors, "spec.resourceSelectors", policy.metadata.namespace
        )
    )
    if not spec.override_rules:
        faults.append(required("spec.overrideRules", "a policy must override something"))
    for index, rule in enumerate(spec.override_rules):
        path = f"spec.overrideRules[{index}]"
        faults += check_affinity(rule.target_cluster, f"{path}.targetCluster")
        faults += _check_overriders(rule.overriders, f"{path}.overriders")
    return faults


def _check_overriders(overriders: Overriders, path: str) -> Iterable[FieldError]:
    if overriders == Overriders():
        yield required(path, "at least one overrider")
    for index, image in enumerate(overriders.image_overrider):
        yield from _check_image(image, f"{path}.imageOverrider[{index}]")
    for field, commands in (
        ("commandOverrider", overriders.command_overrider),
        ("argsOverrider", overriders.args_overrider),
    ):
        for index, command in enumerate(commands):
            yield from _check_command(command, f"{path}.{field}[{index}]")
    for index, labels in enumerate(overriders.labels_overrider):
        yield from _check_map(labels, f"{path}.labelsOverrider[{index}]", labels=True)
    for index, annotations in enumerate(overriders.annotations_overrider):
        yield from _check_map(annotations, f"{path}.annotationsOverrider[{index}]", labels=False)
    for index, plain in enumerate(overriders.plaintext):
        yield from _check_plaintext(plain, f"{path}.plaintext[{index}]")


def _check_pointer(pointer: str, path: str) -> Iterable[FieldError]:
    if not _POINTER.fullmatch(pointer):
        yield wrong(path, pointer, "must be a JSON pointer such as /spec/replicas (RFC 6901)")
        return
    for part in _IDENTITY:
        if pointer == part or pointer.startswith(f"{part}/"):
            yield forbidden(path, f"{part} is not to be overridden")


def _check_image(image: ImageOverrider, path: str) -> Iterable[FieldError]:
    if image.predicate is not None:
        yield from _check_pointer(image.predicate.path, f"{path}.predicate.path")
    if image.operator != "remove" and not image.value:
        yield required(f"{path}.value", f"what to {image.operator}")
    if image.operator == "remove" and image.component == "Repository":
        yield forbidden(f"{path}.operator", "an image cannot be without repository")


def _check_command(command: CommandOverrider, path: str) -> Iterable[FieldError]:
    if not command.container_name:
        yield required(f"{path}.containerName", "which container")
    if not command.value:
        yield required(f"{path}.value", f"what to {command.operator}")


def _check_map(overrider: MapOverrider, path: str, *, labels: bool) -> Iterable[FieldError]:
    if not overrider.value:
        yield required(f"{path}.value", f"what to {overrider.operator}")
    for key, value in overrider.value.items():
        try:
            check_label_key(key if labels else key.lower())
            if labels:
                check_label_value(value)
        except ValueError as err:
            yield FieldError(f"{path}.value", f"Invalid value: {err}")


def _check_plaintext(plain: PlaintextOverrider, path: str) -> Iterable[FieldError]:
    yield from _check_pointer(plain.path, f"{path}.path")
    if plain.operator != "remove" and plain.value is None:
        yield required(f"{path}.value", f"what to {plain.operator}")
