"""Rules for OverridePolicy and ClusterOverridePolicy beyond their schema. Pure.

Everything is refused here that can be told to fail without the object it is for.
"""

from collections.abc import Iterable

from shared.api.override import (
    BACKENDS_MAX,
    EVERY_CONTAINER,
    WEIGHT_MAX,
    BackendOverrider,
    CommandOverrider,
    EnvOverrider,
    FieldOverrider,
    ImageOverrider,
    MapOverrider,
    OverridePolicy,
    Overriders,
    OverrideRule,
    OverrideSpec,
)
from shared.api.override_texts import change_texts
from shared.api.variables import MARK, UnusableVariable, variables_in
from shared.apimachinery import texts
from shared.apimachinery.images import check_component, check_piece
from shared.apimachinery.selectors import check_label_key, check_label_value
from shared.apiserver.names import check_label
from shared.apiserver.rules.patches import (
    check_document_operation,
    check_plaintext,
    check_pointer,
    check_text_pointer,
)
from shared.apiserver.rules.selection import (
    check_affinity,
    check_resource_selectors,
    forbidden,
    required,
    wrong,
)
from shared.apiserver.semantics.environment import environment
from shared.errors import FieldError

_PORTS = range(1, 65_536)
_PORT_BOUNDS = "must be between 1 and 65535, inclusive"


def check_override(policy: OverridePolicy) -> list[FieldError]:
    spec = policy.spec
    faults: list[FieldError] = list(
        check_resource_selectors(
            spec.resource_selectors, "spec.resourceSelectors", policy.metadata.namespace
        )
    )
    faults += _check_older_form(spec)
    if not spec.override_rules:
        faults += [fault for rule in spec.rules for fault in _check_rule(rule, "spec")]
    for index, rule in enumerate(spec.override_rules):
        faults += _check_rule(rule, f"spec.overrideRules[{index}]")
    return faults


def _check_older_form(spec: OverrideSpec) -> Iterable[FieldError]:
    """`targetCluster` and `overriders` beside the selectors are one rule."""
    if spec.override_rules:
        for field, given in (
            ("targetCluster", spec.target_cluster),
            ("overriders", spec.overriders),
        ):
            if given not in (None, Overriders()):
                yield forbidden(f"spec.{field}", "not beside overrideRules: make it one of them")
    elif spec.overriders is None:
        yield required("spec.overrideRules", "a policy must override something")


def _check_rule(rule: OverrideRule, path: str) -> Iterable[FieldError]:
    yield from check_affinity(rule.target_cluster, f"{path}.targetCluster")
    yield from _check_overriders(rule.overriders, f"{path}.overriders")


def _check_overriders(overriders: Overriders, path: str) -> Iterable[FieldError]:
    if overriders == Overriders():
        yield required(path, "at least one overrider")
    yield from _check_variables(overriders, path)
    for index, variables in enumerate(overriders.variables_overrider):
        yield from check_pointer(variables.path, f"{path}.variablesOverrider[{index}].path")
    for index, image in enumerate(overriders.image_overrider):
        yield from _check_image(image, f"{path}.imageOverrider[{index}]")
    for field, commands in (
        ("commandOverrider", overriders.command_overrider),
        ("argsOverrider", overriders.args_overrider),
    ):
        for index, command in enumerate(commands):
            yield from _check_command(command, f"{path}.{field}[{index}]")
    for index, env in enumerate(overriders.env_overrider):
        yield from _check_environment(env, f"{path}.envOverrider[{index}]")
    for index, labels in enumerate(overriders.labels_overrider):
        yield from _check_map(labels, f"{path}.labelsOverrider[{index}]", labels=True)
    for index, annotations in enumerate(overriders.annotations_overrider):
        yield from _check_map(annotations, f"{path}.annotationsOverrider[{index}]", labels=False)
    for index, document in enumerate(overriders.field_overrider):
        yield from _check_document(document, f"{path}.fieldOverrider[{index}]")
    for index, backends in enumerate(overriders.backend_overrider):
        yield from _check_backends(backends, f"{path}.backendOverrider[{index}]")
    for index, plain in enumerate(overriders.plaintext):
        yield from check_plaintext(plain, f"{path}.plaintext[{index}]")


def _check_variables(overriders: Overriders, path: str) -> Iterable[FieldError]:
    faults: list[FieldError] = []

    def check(place: str, text: str) -> str:
        try:
            list(variables_in(text))
        except UnusableVariable as err:
            faults.append(wrong(f"{path}.{place}", text, str(err)))
        return text

    change_texts(overriders, check)
    return faults


def _check_image(image: ImageOverrider, path: str) -> Iterable[FieldError]:
    if image.predicate is not None:
        yield from check_text_pointer(image.predicate.path, f"{path}.predicate.path")
    if image.operator == "remove":
        if image.component == "Repository":
            yield forbidden(f"{path}.operator", "an image cannot be without repository")
        return
    if not image.value:
        yield required(f"{path}.value", f"what to {image.operator}")
    elif MARK not in image.value:
        check = check_piece if image.operator == "add" else check_component
        try:
            check(image.component, image.value)
        except ValueError as err:
            yield wrong(f"{path}.value", image.value, str(err))


def _check_container(name: str, path: str) -> Iterable[FieldError]:
    if not name:
        yield required(f"{path}.containerName", "which container; * is every one")
    elif name != EVERY_CONTAINER:
        for why in texts.label(name):
            yield wrong(f"{path}.containerName", name, why)


def _check_command(command: CommandOverrider, path: str) -> Iterable[FieldError]:
    yield from _check_container(command.container_name, path)
    if not command.value:
        yield required(f"{path}.value", f"what to {command.operator}")


def _check_environment(overrider: EnvOverrider, path: str) -> Iterable[FieldError]:
    yield from _check_container(overrider.container_name, path)
    if not overrider.value:
        yield required(f"{path}.value", f"what to {overrider.operator}")
    seen: set[str] = set()
    for index, one in enumerate(overrider.value):
        where = f"{path}.value[{index}]"
        if one.name in seen:
            yield FieldError(
                f"{where}.name", f'Duplicate value: "{one.name[:100]}"', "FieldValueDuplicate"
            )
        seen.add(one.name)
        if overrider.operator == "remove" and (one.value or one.value_from is not None):
            yield forbidden(where, "to remove a variable its name is enough")
    entries = [
        {"name": one.name, "value": one.value, "valueFrom": one.value_from}
        for one in overrider.value
    ]
    # As in a container, whose list is called `env`.
    for fault in environment({"env": entries}, path):
        yield FieldError(fault.path.replace(".env[", ".value[", 1), fault.message, fault.reason)


def _check_document(overrider: FieldOverrider, path: str) -> Iterable[FieldError]:
    yield from check_text_pointer(overrider.field_path, f"{path}.fieldPath")
    if overrider.json and overrider.yaml:
        yield forbidden(path, "either json or yaml: the text holds one of them")
    elif not overrider.json and not overrider.yaml:
        yield required(path, "json or yaml, with at least one operation")
    for language, operations in (("json", overrider.json), ("yaml", overrider.yaml)):
        for index, one in enumerate(operations):
            yield from check_document_operation(one, f"{path}.{language}[{index}]")


def _check_backends(overrider: BackendOverrider, path: str) -> Iterable[FieldError]:
    if why := check_label(overrider.service):
        yield wrong(f"{path}.service", overrider.service, why)
    if overrider.port is not None and overrider.port not in _PORTS:
        yield wrong(f"{path}.port", overrider.port, _PORT_BOUNDS)
    if not 1 <= len(overrider.backends) <= BACKENDS_MAX:
        why = f"must have 1 to {BACKENDS_MAX} items"
        yield wrong(f"{path}.backends", len(overrider.backends), why)
    for index, one in enumerate(overrider.backends[:BACKENDS_MAX]):
        where = f"{path}.backends[{index}]"
        if why := check_label(one.name):
            yield wrong(f"{where}.name", one.name, why)
        if one.port not in _PORTS:
            yield wrong(f"{where}.port", one.port, _PORT_BOUNDS)
        if not 0 <= one.weight <= WEIGHT_MAX:
            yield wrong(f"{where}.weight", one.weight, f"must be between 0 and {WEIGHT_MAX}")


def _check_map(overrider: MapOverrider, path: str, *, labels: bool) -> Iterable[FieldError]:
    if not overrider.value:
        yield required(f"{path}.value", f"what to {overrider.operator}")
    for key, value in overrider.value.items():
        try:
            check_label_key(key if labels else key.lower())
            if labels and MARK not in value:
                check_label_value(value)
        except ValueError as err:
            yield FieldError(f"{path}.value", f"Invalid value: {err}")
