"""Fields that a body gives twice, in the words of kube-apiserver's strict decoders. Pure.

JSON names the whole path (`duplicate field "spec.replicas"`), YAML the line of the second one.
"""

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import yaml

from shared.apiserver.requests.bodies import YAML_TYPES, KubernetesLoader
from shared.apiserver.requests.negotiation import JSON_PATCH
from shared.apiserver.requests.wire import PROTOBUF

_KEY = b'":'
_OPERATION_MEMBERS = frozenset(("op", "path", "from", "value"))
_encode = msgspec.json.Encoder().encode


class _Pairs(list[tuple[str, Any]]):
    """A JSON object as it was written, every member in its place."""


def strict_faults(body: bytes, media: str, decoded: Any) -> list[str]:
    """Return what a strict reader of the text finds; cheap where that is nothing."""
    if media == PROTOBUF:
        return []
    if body.lstrip()[:1] == b"{" and _keeps_every_key(body, decoded):
        return []
    if media in YAML_TYPES:
        return _in_yaml(body)
    found = _in_json(body)
    if media == JSON_PATCH:
        return [f"json patch {fault}" for fault in (*found, *_unknown_members(decoded))]
    return found


def _keeps_every_key(body: bytes, decoded: Any) -> bool:
    """Whether as many keys are in the JSON text as in the result, so that none was lost.

    Text inside values that looks like keys is in both; writing that hides keys from the count only
    costs the slow way.
    """
    plain = b'" :' not in body and b"\\u" not in body
    return plain and body.count(_KEY) == _encode(decoded).count(_KEY)


def in_order_of_reading(body: bytes, media: str, faults: list[str]) -> list[str]:
    """Return *faults* of a JSON text as a reader meets them; of YAML, lines come first."""
    if media in YAML_TYPES:
        return faults
    places: dict[str, int] = {}
    for place, fault in enumerate(_as_met(body)):
        places.setdefault(fault, place)
    return sorted(faults, key=lambda fault: places.get(fault, 0))


def _as_met(body: bytes) -> Iterator[str]:
    """Yield for every member of a JSON text what would be wrong with it: unknown, or twice."""
    try:
        root = json.loads(body, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError):
        return
    # No recursion: what is deep would be handed up through every level.
    within = [_parts(root, "")]
    while within:
        for fault, part, where in within[-1]:
            if fault:
                yield fault
            if isinstance(part, list):
                within.append(_parts(part, where))
                break
        else:
            within.pop()


def _parts(value: Any, path: str) -> Iterator[tuple[str, Any, str]]:
    """Yield what would be wrong with each part of *value*, the part, and where it is."""
    if isinstance(value, _Pairs):
        seen: set[str] = set()
        for name, each in value:
            where = f"{path}.{name}" if path else name
            yield f'{"duplicate" if name in seen else "unknown"} field "{where}"', each, where
            seen.add(name)
    elif isinstance(value, list):
        for place, each in enumerate(value):
            yield "", each, f"{path}[{place}]"


def _in_json(body: bytes) -> list[str]:
    return list(dict.fromkeys(fault for fault in _as_met(body) if fault.startswith("duplicate")))


def _unknown_members(operations: Any) -> list[str]:
    if not isinstance(operations, list):
        return []
    return [
        f'unknown field "[{place}].{name}"'
        for place, operation in enumerate(operations)
        if isinstance(operation, dict)
        for name in operation
        if name not in _OPERATION_MEMBERS
    ]


def _in_yaml(body: bytes) -> list[str]:
    found: dict[str, None] = {}
    met: set[int] = set()

    def walk(node: yaml.Node) -> None:
        if id(node) in met:
            return  # An alias: what it stands for was looked at.
        met.add(id(node))
        if isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in node.value:
                if isinstance(key, yaml.ScalarNode):
                    if key.value in seen:
                        line = key.start_mark.line + 1
                        found[f'line {line}: key "{key.value}" already set in map'] = None
                    seen.add(key.value)
                walk(value)
        elif isinstance(node, yaml.SequenceNode):
            for item in node.value:
                walk(item)

    try:
        root = yaml.compose(body.decode(), Loader=KubernetesLoader)
        if root is not None:
            walk(root)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError):
        return []
    return list(found)
