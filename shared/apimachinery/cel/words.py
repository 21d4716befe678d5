"""Compiling, and what the engine says of it in the words of Kubernetes' engine."""

import re
from typing import Any

from shared.apimachinery.cel.declarations import PACKAGE

_CODE = re.compile(r"^[A-Z_]+: ")
_TRAILER = re.compile(r" \[[A-Z_]+\]$")
_STRUCT = re.compile(rf" not found in struct '{PACKAGE}\.T[0-9]+'")
_MESSAGE_TYPE = re.compile(rf"\b{PACKAGE}\.T[0-9]+\b")
# `oldSelf.size` is one name to the checker; it is `oldSelf` that nobody declared.
_UNDECLARED = re.compile(r"undeclared reference to '([^'.]+)\.[^']*'")
_OPERAND = re.compile(r"expression of type '(.*?)' cannot be the operand of a select operation")
_NO_KEY = re.compile(r'Key not found in map : "?(.*?)"?$')
_NO_INDEX = re.compile(r"Index error: index=(-?[0-9]+) size=[0-9]+")
# The engine reads these and cannot evaluate them.
_LACKING = re.compile(r"\.\s*(transformMap(?:Entry)?)\s*\(")


def compile_text(environment: Any, text: str) -> tuple[Any, str | None]:
    """Return the program, or None and why there is none."""
    if found := _LACKING.search(text):
        place = f"<input>:{text.count(chr(10), 0, found.start()) + 1}:{found.start() + 1}"
        return None, f"ERROR: {place}: undeclared reference to '{found[1]}' (in container '')"
    try:
        return environment.compile(text), None
    except RuntimeError as err:
        why = _TRAILER.sub("", _CODE.sub("", str(err)))
        why = _OPERAND.sub(r"type '\1' does not support field selection", why)
        why = _UNDECLARED.sub(r"undeclared reference to '\1'", _STRUCT.sub("", why))
        return None, _MESSAGE_TYPE.sub(PACKAGE, why.replace("null_type", "null"))


def said(why: str) -> str:
    """Return an error of evaluation in the words of Kubernetes' engine."""
    why = _TRAILER.sub("", _CODE.sub("", why))
    if found := _NO_KEY.match(why):
        return f"no such key: {found[1]}"
    if found := _NO_INDEX.match(why):
        return f"index out of bounds: {found[1]}"
    if why.startswith("No matching overloads found"):
        return "no such overload"
    return {"divide by zero": "division by zero"}.get(why, why)
