"""What a pod needs of a node.

The need of a pod is what Kubernetes' scheduler reckons with: the sum of its containers and
restartable init containers (KEP-753), or the largest moment during initialisation, plus the
overhead of its runtime class (KEP-688). Limits stand in for requests that are not given.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec

from shared.api.placement import Toleration
from shared.apimachinery.manifest import Manifest
from shared.apimachinery.quantity import (
    QuantityForm,
    add_quantities,
    form_of,
    format_quantity,
    parse_quantity,
)
from shared.errors import FieldError, InvalidObject

_ZERO = Decimal(0)

_Amounts = dict[str, Decimal]


@dataclass(frozen=True, slots=True)
class NodeChoice:
    """Which nodes a pod may be bound to: `selector` is its nodeSelector, in order of the keys."""

    selector: tuple[tuple[str, str], ...] = ()
    tolerations: tuple[Toleration, ...] = ()


ANY_NODE = NodeChoice()


def template_choice(manifest: Manifest) -> NodeChoice:
    """Return the choice of a pod made of `spec.template`."""
    pod = _mapping(_mapping(manifest.get("spec")).get("template")).get("spec")
    return pod_choice(_mapping(pod))


def pod_choice(pod: Mapping[str, Any]) -> NodeChoice:
    """Return the choice of one pod by its spec; a toleration that cannot be read is none."""
    selector, tolerations = _mapping(pod.get("nodeSelector")), _sequence(pod.get("tolerations"))
    if not selector and not tolerations:
        return ANY_NODE
    read = []
    for stated in tolerations:
        try:
            read.append(msgspec.convert(stated, Toleration))
        except msgspec.ValidationError:
            continue
    pairs = tuple(sorted((key, str(value)) for key, value in selector.items()))
    return NodeChoice(pairs, tuple(read))


def template_requests(manifest: Manifest) -> dict[str, str]:
    """Return the need of one pod made of `spec.template`; raises `InvalidObject` with the path."""
    pod = _mapping(_mapping(manifest.get("spec")).get("template")).get("spec")
    return pod_requests(_mapping(pod), "spec.template.spec")


def pod_requests(pod: Mapping[str, Any], path: str = "spec") -> dict[str, str]:
    """Return the need of one pod by its spec, which stands at *path*.

    Quantities are in canonical form and sorted by resource.
    """
    forms: dict[str, QuantityForm] = {}
    running: _Amounts = {}
    for number, container in enumerate(_sequence(pod.get("containers"))):
        _add(running, _need(container, f"{path}.containers[{number}]", forms))
    # Those that restart go on running beside what is started after them.
    beside: _Amounts = {}
    starting: _Amounts = {}
    for number, container in enumerate(_sequence(pod.get("initContainers"))):
        need = _need(container, f"{path}.initContainers[{number}]", forms)
        if container.get("restartPolicy") == "Always":
            _add(beside, need)
            _raise_to(starting, beside)
        else:
            moment = dict(beside)
            _add(moment, need)
            _raise_to(starting, moment)
    _add(running, beside)
    _raise_to(running, starting)
    _add(running, _amounts(_mapping(pod.get("overhead")), f"{path}.overhead", forms))
    return {
        name: format_quantity(amount, forms[name])
        for name, amount in sorted(running.items())
        if amount > 0
    }


def _need(container: Mapping[str, Any], path: str, forms: dict[str, QuantityForm]) -> _Amounts:
    resources = _mapping(_mapping(container).get("resources"))
    stated = {**_mapping(resources.get("limits")), **_mapping(resources.get("requests"))}
    return _amounts(stated, f"{path}.resources", forms)


def _amounts(stated: Mapping[str, Any], path: str, forms: dict[str, QuantityForm]) -> _Amounts:
    found: _Amounts = {}
    for name, value in stated.items():
        try:
            found[name] = parse_quantity(value)
            forms.setdefault(name, form_of(str(value)))
        except ValueError as err:
            raise _invalid(f"{path}[{name}]", str(err)) from err
    return found


def _add(total: _Amounts, more: _Amounts) -> None:
    for name, amount in more.items():
        total[name] = add_quantities((total.get(name, _ZERO), amount))


def _raise_to(total: _Amounts, least: _Amounts) -> None:
    for name, amount in least.items():
        total[name] = max(total.get(name, _ZERO), amount)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _sequence(value: Any) -> list[Mapping[str, Any]]:
    return [_mapping(one) for one in value] if isinstance(value, list) else []


def _invalid(path: str, message: str) -> InvalidObject:
    return InvalidObject(f"{path}: {message}", [FieldError(path, message)])
