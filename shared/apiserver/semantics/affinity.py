"""Where pods may run: affinity to nodes and pods, spreading, tolerations."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shared.apimachinery import texts
from shared.apimachinery.parts import entries, section
from shared.apiserver.semantics.faults import (
    duplicate,
    forbidden,
    invalid,
    one_of,
    required,
    strings,
    text,
    unsupported,
)
from shared.apiserver.semantics.selectors import label_selector
from shared.errors import FieldError

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_UNSATISFIABLE = ("DoNotSchedule", "ScheduleAnyway")
_INCLUSION = ("Honor", "Ignore")


def affinity(found: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    yield from _to_nodes(section(found, "nodeAffinity"), f"{path}.nodeAffinity")
    for name in ("podAffinity", "podAntiAffinity"):
        yield from _to_pods(section(found, name), f"{path}.{name}")


def _to_nodes(found: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    if found.get(_REQUIRED) is not None:
        yield from node_selector(section(found, _REQUIRED), f"{path}.{_REQUIRED}")
    for number, one in enumerate(entries(found, _PREFERRED)):
        at = f"{path}.{_PREFERRED}[{number}]"
        yield from _weight(one, at)
        yield from _term(section(one, "preference"), f"{at}.preference", values=False)


def node_selector(found: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    terms = entries(found, "nodeSelectorTerms")
    if not terms:
        yield required(f"{path}.nodeSelectorTerms", "must have at least one node selector term")
    for number, one in enumerate(terms):
        yield from _term(one, f"{path}.nodeSelectorTerms[{number}]", values=True)


def _term(term: Mapping[str, Any], path: str, *, values: bool) -> Iterator[FieldError]:
    for number, one in enumerate(entries(term, "matchExpressions")):
        yield from _of_labels(one, f"{path}.matchExpressions[{number}]", values=values)
    for number, one in enumerate(entries(term, "matchFields")):
        yield from _of_fields(one, f"{path}.matchFields[{number}]")


def _of_labels(one: Mapping[str, Any], path: str, *, values: bool) -> Iterator[FieldError]:
    given = strings(one.get("values"))
    at = f"{path}.values"
    match one.get("operator"):
        case "In" | "NotIn":
            if not given:
                yield required(at, "must be specified when `operator` is 'In' or 'NotIn'")
        case "Exists" | "DoesNotExist":
            if given:
                why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                yield forbidden(at, why)
        case "Gt" | "Lt":
            if len(given) != 1:
                why = "must be specified single value when `operator` is 'Lt' or 'Gt'"
                yield required(at, why)
        case other:
            yield invalid(f"{path}.operator", other or "", "not a valid selector operator")
    yield from text(one.get("key") or "", f"{path}.key", texts.label_key)
    for number, value in enumerate(given if values else ()):
        yield from text(value, f"{at}[{number}]", texts.label_value)


def _of_fields(one: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    if one.get("operator") not in ("In", "NotIn"):
        yield invalid(
            f"{path}.operator", one.get("operator") or "", "not a valid selector operator"
        )
    elif len(strings(one.get("values"))) != 1:
        why = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
        yield required(f"{path}.values", why)
    if one.get("key") != "metadata.name":
        yield invalid(f"{path}.key", one.get("key") or "", "not a valid field selector key")
        return
    for number, name in enumerate(strings(one.get("values"))):
        yield from text(name, f"{path}.values[{number}]", texts.subdomain)


def _to_pods(found: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    for number, one in enumerate(entries(found, _REQUIRED)):
        yield from _pod_term(one, f"{path}.{_REQUIRED}[{number}]")
    for number, one in enumerate(entries(found, _PREFERRED)):
        at = f"{path}.{_PREFERRED}[{number}]"
        yield from _weight(one, at)
        yield from _pod_term(section(one, "podAffinityTerm"), f"{at}.podAffinityTerm")


def _weight(one: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    weight = one.get("weight") or 0
    if not 1 <= weight <= 100:
        yield invalid(f"{path}.weight", weight, "must be in the range 1-100")


def _pod_term(term: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    for name in ("labelSelector", "namespaceSelector"):
        yield from label_selector(section(term, name), f"{path}.{name}")
    for name in strings(term.get("namespaces")):
        yield from text(name, f"{path}.namespace", texts.label)
    key = term.get("topologyKey") or ""
    if not key:
        yield required(f"{path}.topologyKey", "can not be empty")
    yield from text(key, f"{path}.topologyKey", texts.label_key)


def spread(constraints: Sequence[Mapping[str, Any]], path: str) -> Iterator[FieldError]:
    pairs = [(one.get("topologyKey"), one.get("whenUnsatisfiable")) for one in constraints]
    for number, one in enumerate(constraints):
        at = f"{path}[{number}]"
        skew, when = one.get("maxSkew") or 0, one.get("whenUnsatisfiable") or ""
        if skew <= 0:
            yield invalid(f"{at}.maxSkew", skew, "must be greater than zero")
        if not one.get("topologyKey"):
            yield required(f"{at}.topologyKey", "can not be empty")
        if when not in _UNSATISFIABLE:
            yield unsupported(f"{at}.whenUnsatisfiable", when, _UNSATISFIABLE)
        if pairs[number] in pairs[number + 1 :]:
            pair = f"{{{one.get('topologyKey')}, {when}}}"
            yield duplicate(f"{at}.{{topologyKey, whenUnsatisfiable}}", pair)
        yield from _domains(one, at, when)
        for name in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
            yield from one_of(one, name, at, _INCLUSION)
        yield from label_selector(section(one, "labelSelector"), f"{at}.labelSelector")


def _domains(one: Mapping[str, Any], path: str, when: str) -> Iterator[FieldError]:
    least = one.get("minDomains")
    if not isinstance(least, int):
        return
    if least <= 0:
        yield invalid(f"{path}.minDomains", least, "must be greater than zero")
    if when != "DoNotSchedule":
        why = f"can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {when}"
        yield invalid(f"{path}.minDomains", least, why)


def tolerations(found: Sequence[Mapping[str, Any]], path: str) -> Iterator[FieldError]:
    for number, one in enumerate(found):
        yield from _toleration(one, f"{path}[{number}]")


def _toleration(one: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    key, operator = one.get("key") or "", one.get("operator") or ""
    value, effect = one.get("value") or "", one.get("effect") or ""
    if key:
        yield from text(key, f"{path}.key", texts.label_key)
    elif operator != "Exists":
        why = (
            "operator must be Exists when `key` is empty, which means "
            '"match all values and all keys"'
        )
        yield invalid(f"{path}.operator", operator, why)
    if one.get("tolerationSeconds") is not None and effect != "NoExecute":
        why = "effect must be 'NoExecute' when `tolerationSeconds` is set"
        yield invalid(f"{path}.effect", effect, why)
    match operator:
        case "" | "Equal":
            yield from text(value, f"{path}.operator", texts.label_value)
        case "Exists":
            if value:
                why = "value must be empty when `operator` is 'Exists'"
                yield invalid(f"{path}.operator", value, why)
        case _:
            yield unsupported(f"{path}.operator", operator, ("Equal", "Exists"))
    if effect and effect not in _EFFECTS:
        yield unsupported(f"{path}.effect", effect, _EFFECTS)
