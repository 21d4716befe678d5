"""Label selectors inside objects, and what they must match."""

from collections.abc import Iterator, Mapping
from typing import Any

from shared.apimachinery import texts
from shared.apimachinery.parts import entries, section
from shared.apimachinery.selectors import LabelSelector, from_manifest
from shared.apiserver.semantics.faults import (
    forbidden,
    invalid,
    labels,
    required,
    strings,
    text,
)
from shared.errors import FieldError


def label_selector(found: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    """A `metav1.LabelSelector`; an empty one is sound."""
    yield from labels(section(found, "matchLabels"), f"{path}.matchLabels")
    for number, one in enumerate(entries(found, "matchExpressions")):
        yield from _expression(one, f"{path}.matchExpressions[{number}]")


def _expression(expression: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    values = strings(expression.get("values"))
    match expression.get("operator"):
        case "In" | "NotIn":
            if not values:
                why = "must be specified when `operator` is 'In' or 'NotIn'"
                yield required(f"{path}.values", why)
        case "Exists" | "DoesNotExist":
            if values:
                why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                yield forbidden(f"{path}.values", why)
        case other:
            yield invalid(f"{path}.operator", other or "", "not a valid selector operator")
    yield from text(expression.get("key") or "", f"{path}.key", texts.label_key)
    for number, value in enumerate(values):
        yield from text(value, f"{path}.values[{number}]", texts.label_value)


def workload_selector(spec: Mapping[str, Any], path: str, kind: str) -> Iterator[FieldError]:
    """The selector a workload of *kind* must have, which matches the labels of its template."""
    found = spec.get("selector")
    read = readable(found)
    if not isinstance(found, Mapping):
        # Upstream does not miss that of a DaemonSet, but finds no label to match it.
        if kind != "daemonset":
            yield required(f"{path}.selector")
    else:
        yield from label_selector(found, f"{path}.selector")
        if not found.get("matchLabels") and not found.get("matchExpressions"):
            why = f"empty selector is invalid for {kind}"
            yield invalid(f"{path}.selector", found, why)
        if read is None:
            yield invalid(f"{path}.selector", found, "invalid label selector")
    if not isinstance(found, Mapping) or (read is not None and read.requirements):
        yield from template_matches(spec, path, read)


def template_matches(
    spec: Mapping[str, Any], path: str, selector: LabelSelector | None
) -> Iterator[FieldError]:
    """The labels of the pods of *spec*; without a selector none do."""
    given = section(spec, "template", "metadata", "labels")
    if selector is None or not selector.matches(given):
        why = "`selector` does not match template `labels`"
        yield invalid(f"{path}.template.metadata.labels", given or None, why)


def readable(found: object) -> LabelSelector | None:
    """None for what is no selector."""
    if not isinstance(found, Mapping):
        return None
    try:
        return from_manifest(found)
    except ValueError:
        return None
