"""Words for drift: values as short text, and never those of a Secret."""

from typing import Any

from services.propagator.core.drift import ABSENT, LostField
from shared.api.drift import DriftedField
from shared.apimachinery.manifest import GroupVersionKind, encode

VALUE_CHARACTERS_MAX = 200
REDACTED = "(redacted)"
_SECRET = ("", "Secret")
_SECRET_PARTS = frozenset({"data", "stringData"})


def shown(field: LostField, gvk: GroupVersionKind) -> DriftedField:
    hidden = (gvk.group, gvk.kind) == _SECRET and field.pointer[0] in _SECRET_PARTS
    return DriftedField(
        path=field.path,
        actor=field.actor,
        operation=field.operation,
        time=field.time,
        ordered=_text(field.ordered, hidden=hidden),
        found=_text(field.found, hidden=hidden),
    )


def _text(value: Any, *, hidden: bool) -> str:
    if value is ABSENT:
        return ""
    if hidden:
        return REDACTED
    text = encode(value).decode(errors="replace")
    return text if len(text) <= VALUE_CHARACTERS_MAX else text[: VALUE_CHARACTERS_MAX - 1] + "…"
