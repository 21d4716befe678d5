"""The overrider of a route's backends: one service becomes several, each with its weight.

Routes of the Gateway API list their backends in `spec.rules[].backendRefs`, whatever their
protocol. Both lists are atomic: whoever writes a weight writes all rules. So weights are put in
where the whole object is rendered anyway.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from services.propagator.core.overriders.refusal import NotApplicable
from shared.api.override import BACKENDS_MAX, WEIGHT_MAX, BackendOverrider
from shared.apimachinery.manifest import Manifest, namespace_of

_KINDS = (("", "Service"), ("multicluster.x-k8s.io", "ServiceImport"))
_REFERRING = frozenset({"group", "kind", "namespace", "name", "port", "weight"})


def override_backends(manifest: Manifest, overrider: BackendOverrider) -> None:
    spec = manifest.get("spec")
    rules = spec.get("rules") if isinstance(spec, dict) else None
    namespace = namespace_of(manifest)
    for at, rule in enumerate(rules if isinstance(rules, list) else ()):
        refs = rule.get("backendRefs") if isinstance(rule, dict) else None
        if not isinstance(refs, list) or not all(isinstance(one, dict) for one in refs):
            continue
        named = [_refers(one, overrider, namespace) for one in refs]
        if any(named):
            try:
                rule["backendRefs"] = _replaced(refs, named, overrider)
            except NotApplicable as err:
                raise NotApplicable(f"spec.rules[{at}].backendRefs: {err}") from err


def _refers(ref: dict[str, Any], overrider: BackendOverrider, namespace: str) -> bool:
    kind = (ref.get("group") or "", ref.get("kind") or "Service")
    return (
        kind in _KINDS
        and ref.get("name") == overrider.service
        and ref.get("namespace") in (None, "", namespace)
        and (overrider.port is None or ref.get("port") in (None, overrider.port))
    )


def _replaced(
    refs: Sequence[dict[str, Any]], named: Sequence[bool], overrider: BackendOverrider
) -> list[dict[str, Any]]:
    room = (BACKENDS_MAX - named.count(False)) // named.count(True)
    if room < 1:
        raise NotApplicable(f"no room for another beside {len(refs)} of them")
    # Of more than there is room for those that weigh most.
    greatest = sorted(overrider.backends, key=lambda one: (-one.weight, one.name))[:room]
    backends = sorted(greatest, key=lambda one: one.name)
    total = sum(one.weight for one in backends)
    alone = len(refs) == 1
    found: list[tuple[dict[str, Any], int]] = []
    for ref, is_named in zip(refs, named, strict=True):
        weight = _weight_of(ref)
        if not is_named:
            found.append((ref, weight * total if total else weight))
            continue
        rest = {name: value for name, value in ref.items() if name not in _REFERRING}
        for one in backends:
            part = one.weight * (min(weight, 1) if alone else weight)
            found.append(({"name": one.name, "port": one.port, **rest}, part))
    return list(_within_bounds(found))


def _within_bounds(found: Sequence[tuple[dict[str, Any], int]]) -> Iterator[dict[str, Any]]:
    """Scale weights down to what the API allows; who has any keeps some."""
    most = max(weight for _, weight in found)
    for ref, weight in found:
        fits = weight if most <= WEIGHT_MAX else weight * WEIGHT_MAX // most
        yield {**ref, "weight": max(fits, min(weight, 1))}


def _weight_of(ref: dict[str, Any]) -> int:
    weight = ref.get("weight", 1)
    if not isinstance(weight, int) or weight < 0:
        raise NotApplicable("a weight must be a whole number, 0 or more")
    return weight
