"""The overrider of documents inside texts: JSON and YAML as ConfigMaps and Secrets hold them."""

import base64
import binascii
import json
import re
from typing import Any

import yaml

from services.propagator.core.overriders.pointers import look_up, patch, put
from services.propagator.core.overriders.refusal import NotApplicable
from shared.api.override import FieldOverrider
from shared.apimachinery.manifest import GroupVersionKind, Manifest
from shared.apiserver.requests.bodies import decode_body
from shared.apiserver.requests.negotiation import JSON, YAML
from shared.apiserver.status_errors import ApiFault

# Where texts are written in base64 (core/v1).
_ENCODED = {"Secret": "/data/", "ConfigMap": "/binaryData/"}


def override_field(manifest: Manifest, overrider: FieldOverrider) -> None:
    path = overrider.field_path
    text = look_up(manifest, path)
    if not isinstance(text, str):
        raise NotApplicable(f"{path[:300]!r} is not a text")
    gvk = GroupVersionKind.of(manifest)
    encoded = not gvk.group and path.startswith(_ENCODED.get(gvk.kind, "//"))
    body = _decoded(text, path) if encoded else text.encode()
    changed = _changed(body, overrider)
    put(manifest, path, base64.b64encode(changed).decode() if encoded else changed.decode())


def _decoded(text: str, path: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as err:
        raise NotApplicable(f"{path[:300]!r} is not base64") from err


def _changed(body: bytes, overrider: FieldOverrider) -> bytes:
    language = "json" if overrider.json else "yaml"
    try:
        document = decode_body(body, JSON if overrider.json else YAML)
    except ApiFault as err:
        # Without the reader's own words: they may quote what is a secret.
        why = f"{overrider.field_path[:300]!r} does not hold one document of {language.upper()}"
        raise NotApplicable(why) from err
    try:
        changed = patch(document, overrider.json or overrider.yaml)
    except NotApplicable as err:
        raise NotApplicable(f"{language}{err}") from err
    return write_json(changed) if overrider.json else write_yaml(changed)


def write_json(document: Any) -> bytes:
    """Compact, as Go's own encoder has it."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


class _Dumper(yaml.CSafeDumper):
    """Puts in quotes every text that some reader of YAML takes for something else."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the library names it.
        return True


# The letters are booleans to YAML 1.1; numbers without a dot, with an exponent or in octal digits
# are texts to the Python library and numbers to others.
_Dumper.add_implicit_resolver("!letter", re.compile(r"[yYnN]$"), list("yYnN"))
_Dumper.add_implicit_resolver(
    "!number",
    re.compile(r"[-+]?(0[xob])?[0-9_.]+([eE][-+]?[0-9]+)?$"),
    list("-+.0123456789"),
)


def write_yaml(document: Any) -> bytes:
    """Fields keep their order."""
    written: str = yaml.dump(
        document,
        Dumper=_Dumper,
        allow_unicode=True,
        default_flow_style=False,
        sort_keys=False,
        width=2**31 - 1,
    )
    return written.removesuffix("...\n").encode()
