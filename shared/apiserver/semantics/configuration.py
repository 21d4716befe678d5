"""ConfigMaps and Secrets: keys, sizes, and what each type of Secret must hold."""

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from typing import Any

from shared.apimachinery import texts
from shared.apimachinery.manifest import Manifest
from shared.apimachinery.parts import section
from shared.apiserver.semantics.faults import invalid, required, text, too_long
from shared.errors import FieldError

SIZE_MAX = 1024 * 1024
_ACCOUNT = "kubernetes.io/service-account.name"
_KEYS: Mapping[str, tuple[str, ...]] = {
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}
_BASIC = ("username", "password")


def judge_config_map(manifest: Manifest) -> list[FieldError]:
    return list(_config_map(section(manifest, "data"), section(manifest, "binaryData")))


def _config_map(data: Mapping[str, Any], binary: Mapping[str, Any]) -> Iterator[FieldError]:
    for key in data:
        yield from text(key, f"data[{key}]", texts.config_key)
        if key in binary:
            yield invalid(f"data[{key}]", key, "duplicate of key present in binaryData")
    for key in binary:
        yield from text(key, f"binaryData[{key}]", texts.config_key)
    size = sum(len(value.encode()) for value in data.values() if isinstance(value, str))
    if size + sum(_decoded_size(value) for value in binary.values()) > SIZE_MAX:
        # Upstream names the object as a whole so.
        yield too_long("[]", SIZE_MAX)


def judge_secret(manifest: Manifest) -> list[FieldError]:
    return list(_secret(manifest, section(manifest, "data")))


def _secret(manifest: Manifest, data: Mapping[str, Any]) -> Iterator[FieldError]:
    for key in data:
        yield from text(key, f"data[{key}]", texts.config_key)
    if sum(_decoded_size(value) for value in data.values()) > SIZE_MAX:
        yield too_long("data", SIZE_MAX)
    kind = str(manifest.get("type") or "")
    if kind == "kubernetes.io/service-account-token":
        if not section(manifest, "metadata", "annotations").get(_ACCOUNT):
            yield required(f"metadata.annotations[{_ACCOUNT}]")
    elif kind == "kubernetes.io/basic-auth" and not any(key in data for key in _BASIC):
        yield from (required(f"data[{key}]") for key in _BASIC)
    for key in _KEYS.get(kind, ()):
        empty = kind.endswith("ssh-auth") and not data.get(key)
        if key not in data or empty:
            yield required(f"data[{key}]")
        elif key.startswith(".docker") and (why := _json_fault(data[key])) is not None:
            yield invalid(f"data[{key}]", "<secret contents redacted>", why)


def _decoded_size(encoded: Any) -> int:
    """How many bytes a base64 text stands for."""
    if not isinstance(encoded, str):
        return 0
    return len(encoded) * 3 // 4 - encoded[-2:].count("=")


def _json_fault(encoded: Any) -> str | None:
    try:
        found = json.loads(base64.b64decode(str(encoded)))
    except (ValueError, binascii.Error):
        return "it is no JSON"
    return None if isinstance(found, dict | None) else "it is no JSON object"
