"""The two patches that need no schema: JSON patch (RFC 6902) and merge patch (RFC 7386)."""

from typing import Any

import jsonpatch
import jsonpointer

from shared.apimachinery.manifest import DEPTH_MAX, Manifest, copy, encode, is_too_deep
from shared.errors import FieldError, InvalidObject

OPERATIONS_MAX = 10_000
COPIED_BYTES_MAX = 3 * 1024 * 1024
"""What all `copy` operations of one patch may add together: thirty of them can double a text
thirty times."""


# The library lets plain errors pass where a path runs through a scalar.
_FAULTS = (
    jsonpatch.JsonPatchException,
    jsonpointer.JsonPointerException,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    ValueError,
    RecursionError,
)


def json_patch(target: Manifest, operations: Any) -> Manifest:
    """Return *target* after *operations*; raises `InvalidObject` naming the one that fails."""
    if not isinstance(operations, list):
        raise InvalidObject("a JSON patch is a list of operations")
    changed: Any = copy(target)
    # An operation's value becomes part of the object, which later operations change.
    operations = copy({"": operations})[""]
    copied = 0
    for number, operation in enumerate(operations):
        try:
            copied += _copied_bytes(changed, operation)
            if copied > COPIED_BYTES_MAX:
                raise _refusal(number, f"copies may not exceed {COPIED_BYTES_MAX} bytes")
            # One at a time, so that the error can name it.
            operation = _lenient(changed, operation)  # noqa: PLW2901
            if operation is None:
                continue
            changed = apply_operation(changed, operation)
        except InvalidObject as err:
            raise err if err.fields else _refusal(number, str(err)) from err
        except _FAULTS as err:
            raise _refusal(number, str(err) or "does not apply") from err
    if not isinstance(changed, dict):
        raise InvalidObject("the patch leaves no object")
    if is_too_deep(changed):
        raise InvalidObject(f"the patch leaves an object nested deeper than {DEPTH_MAX}")
    return changed


def apply_operation(document: Any, operation: Any) -> Any:
    """Return *document*, of any type, after one operation of RFC 6902, to the letter.

    The document is changed in place, and half changed where this raises `InvalidObject`. The
    message may show parts of the document.
    """
    try:
        return jsonpatch.JsonPatch([operation]).apply(document, in_place=True)
    except jsonpatch.JsonPatchTestFailed as err:
        raise InvalidObject("test failed") from err
    except _FAULTS as err:
        raise InvalidObject(str(err) or "does not apply") from err


def _copied_bytes(document: Any, operation: Any) -> int:
    if not isinstance(operation, dict) or operation.get("op") != "copy":
        return 0
    return len(encode({"": jsonpointer.resolve_pointer(document, operation["from"])}))


def _lenient(document: Any, operation: Any) -> Any:
    """Every kube-apiserver takes an absent member for null; RFC 6902 refuses it.

    So replacing it adds it, and testing it for null passes: None.
    """
    if not isinstance(operation, dict) or operation.get("op") not in ("replace", "test"):
        return operation
    parent, _, name = str(operation.get("path", "")).rpartition("/")
    holder = jsonpointer.resolve_pointer(document, parent, None)
    if not isinstance(holder, dict) or jsonpointer.unescape(name) in holder:
        return operation
    if operation["op"] == "replace":
        return {**operation, "op": "add"}
    return None if operation.get("value", "") is None else operation


def _refusal(number: int, why: str) -> InvalidObject:
    text = f"operation {number} of the JSON patch: {why}"
    return InvalidObject(text, [FieldError(f"[{number}]", why)])


def merge_patch(target: Any, patch: Any) -> Any:
    """Return *target* after a merge patch; nothing given is changed."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def merge_difference(source: Any, target: Any) -> Any:
    """Return the merge patch (RFC 7386) that makes *target* of *source*; lists are replaced."""
    if not isinstance(source, dict) or not isinstance(target, dict):
        return target
    patch: dict[str, Any] = {name: None for name in source if name not in target}
    for name, value in target.items():
        if name not in source:
            patch[name] = value
        elif source[name] != value or type(source[name]) is not type(value):
            patch[name] = merge_difference(source[name], value)
    return patch
