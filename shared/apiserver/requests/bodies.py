"""Request bodies as plain data: JSON and YAML, with what was wrong in them. Pure.

YAML is read as Kubernetes reads it: into JSON's types only, no dates, no tags, and without letting
a few lines of anchors grow into gigabytes.
"""

import math
import re
from typing import Any

import msgspec
import yaml

from shared.apimachinery.manifest import DEPTH_MAX, Manifest, is_too_deep
from shared.apimachinery.scalars import with_whole_numbers
from shared.apiserver.requests.negotiation import APPLY_PATCH, STRATEGIC_PATCH, YAML
from shared.apiserver.requests.wire import PROTOBUF, decode_protobuf
from shared.apiserver.status_errors import ApiFault, bad_request

ALIASES_MAX = 1_000
# What aliases may add to what was written out; without them nothing grows.
ADDED_NODES_MAX = 100_000
# The C reader of YAML calls itself too, and ends the process when it is too deep. So short a text
# cannot go that far.
_SHALLOW_CHARACTERS = 4 * 1024

_decode_any = msgspec.json.Decoder().decode
# What a number with a fraction or an exponent looks like in JSON, and hardly any text does. Nearly
# no manifest has one, and looking for them value by value costs as much as reading it.
_FRACTION = re.compile(rb'(?:"\s*:|[\[,])\s*-?\d+[.eE]')
YAML_TYPES = (YAML, "application/x-yaml", "text/yaml", "application/vnd.yaml", APPLY_PATCH)


def decode_body(body: bytes, media: str) -> Any:
    """Any JSON value; raises `ApiFault` 400 that says where reading stopped."""
    if not body.strip():
        raise bad_request("the request has no body")
    try:
        found = _decode(body, media)
    except RecursionError as err:
        raise _too_deep() from err
    may_be_deep = body.count(b"{") + body.count(b"[") > DEPTH_MAX or media == PROTOBUF
    if may_be_deep and is_too_deep(found):
        raise _too_deep()
    return found


def _decode(body: bytes, media: str) -> Any:
    if media == PROTOBUF:
        return decode_protobuf(body)
    if media in YAML_TYPES:
        # YAML is a superset of JSON, and clients that mean apply mostly send JSON.
        if body.lstrip()[:1] == b"{":
            try:
                return _decode_whole(body)
            except (msgspec.DecodeError, UnicodeDecodeError):
                pass
        return _decode_yaml(body)
    try:
        # What a strategic patch makes is plain data, in which Go tells no `2.0` from `2`.
        return _decode_whole(body) if media == STRATEGIC_PATCH else _decode_any(body)
    except (UnicodeDecodeError, msgspec.DecodeError) as err:
        raise _explain_json(body, err) from err


def _decode_whole(body: bytes) -> Any:
    found = _decode_any(body)
    return with_whole_numbers(found) if _FRACTION.search(body) else found


def _too_deep() -> ApiFault:
    return bad_request(f"the body is nested deeper than {DEPTH_MAX}")


def decode_object(body: bytes, media: str) -> Manifest:
    """A JSON object; raises `ApiFault` 400."""
    found = decode_body(body, media)
    if not isinstance(found, dict):
        raise bad_request(f"the body must be an object, not {_name(found)}")
    return found


def _name(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


def _explain_json(body: bytes, error: Exception) -> ApiFault:
    """Say where; *error* counts within the one text that could not be decoded."""
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as err:
        return bad_request(f"the body is not valid UTF-8 at byte {err.start}")
    return bad_request(f"the body is not valid JSON: {error}")


class KubernetesLoader(yaml.CSafeLoader):
    """YAML 1.1 scalars without dates, as `sigs.k8s.io/yaml` has them; `=` is a text."""


_NO_SCALARS = (":timestamp", ":value", ":int", ":float")
KubernetesLoader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(_NO_SCALARS)]
    for letter, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}
# YAML 1.1 has these too, and Go's reader knows them.
KubernetesLoader.bool_values = {**yaml.CSafeLoader.bool_values, "y": True, "n": False}
KubernetesLoader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile("[yYnN]$"), list("yYnN")
)
# Of numbers Go's reader knows those of YAML 1.2 as well, and none to the base of 60.
_INTEGER = re.compile(
    r"[-+]?(?:0[bB][01_]+|0[oO][0-7_]+|0[xX][0-9a-fA-F_]+|[0-9][0-9_]*)$", re.ASCII
)
_REAL = re.compile(
    r"(?:[-+]?(?:\.[0-9][0-9_]*|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
    re.ASCII,
)
_BASES = {"0b": 2, "0o": 8, "0x": 16}


def _number(loader: KubernetesLoader, node: yaml.ScalarNode) -> int | float:
    text = str(loader.construct_scalar(node)).replace("_", "").lower()
    digits = text.lstrip("+-")
    if digits in (".inf", ".nan"):
        return float(text.replace(".", ""))
    if base := _BASES.get(digits[:2]):
        return int(text, base)
    if digits[:1] == "0" and digits.isdigit():
        # The old way to write octal numbers; `08` is none, and therefore eight.
        return int(text, 8) if not set(digits) & {"8", "9"} else float(text)
    return int(text) if digits.isdigit() else float(text)


for _tag, _pattern in (("int", _INTEGER), ("float", _REAL)):
    _name_of_tag = f"tag:yaml.org,2002:{_tag}"
    KubernetesLoader.add_implicit_resolver(_name_of_tag, _pattern, list("-+.0123456789"))
    KubernetesLoader.add_constructor(_name_of_tag, _number)


def _decode_yaml(body: bytes) -> Any:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as err:
        raise bad_request(f"the body is not valid UTF-8 at byte {err.start}") from err
    try:
        if len(text) > _SHALLOW_CHARACTERS:
            _check_events(text)
        found = yaml.load(text, Loader=KubernetesLoader)  # noqa: S506 - a safe loader's child.
        return _Plain(len(body) + ADDED_NODES_MAX).of(found)
    except yaml.YAMLError as err:
        where = getattr(err, "problem_mark", None)
        line = f" at line {where.line + 1}" if where is not None else ""
        problem = getattr(err, "problem", None) or "cannot be read"
        raise bad_request(f"the body is not valid YAML{line}: {problem}") from err
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as err:
        # The loader trusts what a tag or a pattern says of a scalar: `0b_` is no number.
        raise bad_request("the body is not valid YAML: a scalar is not what it says") from err


def _check_events(text: str) -> None:
    """Read without building anything; raises `ApiFault` 400 for what would grow or sink."""
    aliases = depth = 0
    for event in yaml.parse(text, Loader=KubernetesLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.AliasEvent):
            aliases += 1
        if depth > DEPTH_MAX:
            raise _too_deep()
        if aliases > ALIASES_MAX:
            raise bad_request("the body is not acceptable YAML: too many aliases")


class _Plain:
    """Copies loaded YAML into JSON's types, within limits; anchors become copies."""

    def __init__(self, nodes_max: int) -> None:
        self._left = nodes_max

    def of(self, value: Any, depth: int = 0) -> Any:
        self._left -= 1
        if depth > DEPTH_MAX:
            raise _too_deep()
        if self._left < 0:
            raise bad_request("the body is not acceptable YAML: too large once aliases are filled")
        if isinstance(value, dict):
            return {self._key(key): self.of(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list):
            return [self.of(item, depth + 1) for item in value]
        if isinstance(value, float) and not math.isfinite(value):
            raise bad_request("the body is not acceptable YAML: numbers must be finite")
        if isinstance(value, bytes):
            raise bad_request("the body is not acceptable YAML: !!binary is not supported")
        if isinstance(value, float):
            return with_whole_numbers(value)
        if isinstance(value, str):
            value.encode()  # Escapes may spell half a character, which has no UTF-8.
            return value
        if value is None or isinstance(value, int):
            return value
        raise bad_request(f"the body is not acceptable YAML: a {type(value).__name__}")

    @staticmethod
    def _key(key: Any) -> str:
        if isinstance(key, bool):
            return "true" if key else "false"
        if key is None:
            return "null"
        text = str(key)
        text.encode()
        return text
