"""Request bodies as plain data: JSON and YAML, with what was wrong in them. Pure.

YAML is read as Kubernetes reads it: into JSON's types only, no dates, no tags, and without letting
a few lines of anchors grow into gigabytes.
"""

import math
from typing import Any

import msgspec
import yaml

from shared.apimachinery.manifest import Manifest
from shared.apiserver.negotiation import APPLY_PATCH, YAML
from shared.apiserver.status_errors import ApiFault, bad_request
from shared.apiserver.wire import PROTOBUF, decode_protobuf

ALIASES_MAX = 1_000
# What aliases may add to what was written out; without them nothing grows.
ADDED_NODES_MAX = 100_000
DEPTH_MAX = 500
# YAML of this size takes long enough to read that others would notice.
SLOW_BYTES = 64 * 1024

_decode_any = msgspec.json.Decoder().decode
YAML_TYPES = (YAML, "application/x-yaml", "text/yaml", "application/vnd.yaml", APPLY_PATCH)


def decode_body(body: bytes, media: str) -> Any:
    """Any JSON value; raises `ApiFault` 400 that says where reading stopped."""
    if not body.strip():
        raise bad_request("the request has no body")
    if media == PROTOBUF:
        return decode_protobuf(body)
    if media in YAML_TYPES:
        # YAML is a superset of JSON, and clients that mean apply mostly send JSON.
        if body.lstrip()[:1] == b"{":
            try:
                return _decode_any(body)
            except (msgspec.DecodeError, UnicodeDecodeError):
                pass
        return _decode_yaml(body)
    try:
        return _decode_any(body)
    except (UnicodeDecodeError, msgspec.DecodeError) as err:
        raise _explain_json(body, err) from err
    except RecursionError as err:
        raise bad_request("the body is nested too deeply") from err


def is_slow(body: bytes, media: str) -> bool:
    """Whether reading *body* should not happen on the event loop."""
    return len(body) > SLOW_BYTES and media in YAML_TYPES


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
    """YAML 1.1 scalars without dates, as `sigs.k8s.io/yaml` has them."""


KubernetesLoader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for letter, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def _decode_yaml(body: bytes) -> Any:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as err:
        raise bad_request(f"the body is not valid UTF-8 at byte {err.start}") from err
    try:
        if "&" in text and text.count("*") > ALIASES_MAX:
            aliases = sum(
                isinstance(event, yaml.AliasEvent)
                for event in yaml.parse(text, Loader=KubernetesLoader)
            )
            if aliases > ALIASES_MAX:
                raise bad_request("the body is not acceptable YAML: too many aliases")
        found = yaml.load(text, Loader=KubernetesLoader)  # noqa: S506 - a safe loader's child.
        return _Plain(len(body) + ADDED_NODES_MAX).of(found)
    except yaml.YAMLError as err:
        where = getattr(err, "problem_mark", None)
        line = f" at line {where.line + 1}" if where is not None else ""
        problem = getattr(err, "problem", None) or "cannot be read"
        raise bad_request(f"the body is not valid YAML{line}: {problem}") from err
    except RecursionError as err:
        raise bad_request("the body is nested too deeply") from err


class _Plain:
    """Copies loaded YAML into JSON's types, within limits; anchors become copies."""

    def __init__(self, nodes_max: int) -> None:
        self._left = nodes_max

    def of(self, value: Any, depth: int = 0) -> Any:
        self._left -= 1
        if self._left < 0 or depth > DEPTH_MAX:
            raise bad_request("the body is not acceptable YAML: too large once aliases are filled")
        if isinstance(value, dict):
            return {self._key(key): self.of(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list):
            return [self.of(item, depth + 1) for item in value]
        if isinstance(value, float) and not math.isfinite(value):
            raise bad_request("the body is not acceptable YAML: numbers must be finite")
        if isinstance(value, bytes):
            raise bad_request("the body is not acceptable YAML: !!binary is not supported")
        if value is None or isinstance(value, str | int | float):
            return value
        raise bad_request(f"the body is not acceptable YAML: a {type(value).__name__}")

    @staticmethod
    def _key(key: Any) -> str:
        if isinstance(key, bool):
            return "true" if key else "false"
        if key is None:
            return "null"
        return str(key)
