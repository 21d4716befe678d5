"""Rules for JSON pointers and operations of JSON patches in override policies. Pure."""

import re
from collections.abc import Iterable

from shared.api.override import DocumentOperation, PlaintextOverrider
from shared.apiserver.rules.selection import forbidden, required, wrong
from shared.errors import FieldError

# RFC 6901: every token begins with a slash; a tilde is written ~0, a slash ~1.
_POINTER = re.compile(r"(/([^~/]|~0|~1)*)+")
_WITHIN = re.compile(r"(/([^~/]|~0|~1)*)*")
# What an object is called, and who its server-side writers are, is not a matter of the cluster.
_IDENTITY = (
    "/apiVersion",
    "/kind",
    "/metadata/name",
    "/metadata/namespace",
    "/metadata/uid",
    "/metadata/generateName",
    "/metadata/resourceVersion",
    "/metadata/managedFields",
    "/metadata/ownerReferences",
    "/status",
)
_VALUED = ("add", "replace", "test")
_FROM = ("move", "copy")


def check_pointer(pointer: str, path: str) -> Iterable[FieldError]:
    """A place of the object that may be changed."""
    if not _POINTER.fullmatch(pointer):
        yield wrong(path, pointer, "must be a JSON pointer such as /spec/replicas (RFC 6901)")
        return
    if pointer == "/metadata":
        yield forbidden(path, "what an object is called is part of it: name what is to change")
    for part in _IDENTITY:
        if pointer == part or pointer.startswith(f"{part}/"):
            yield forbidden(path, f"{part} is not to be overridden")


def check_text_pointer(pointer: str, path: str) -> Iterable[FieldError]:
    """A place of the object that is there: `-` stands for one that is not."""
    yield from check_pointer(pointer, path)
    if "-" in pointer.split("/"):
        yield wrong(path, pointer, "must name an element: - is the one after the last")


def check_plaintext(one: PlaintextOverrider, path: str) -> Iterable[FieldError]:
    if one.operator == "test":
        # Looking changes nothing.
        if not _POINTER.fullmatch(one.path):
            yield wrong(f"{path}.path", one.path, "must be a JSON pointer (RFC 6901)")
    else:
        yield from check_pointer(one.path, f"{path}.path")
    yield from _check_operands(one, path)
    if one.operator in _FROM:
        if one.operator == "move":
            yield from check_pointer(one.from_, f"{path}.from")
        elif not _POINTER.fullmatch(one.from_):
            yield wrong(f"{path}.from", one.from_, "must be a JSON pointer (RFC 6901)")
        yield from _check_nesting(one.operator, one.path, one.from_, path)
    if "-" in one.path.split("/")[:-1] or (
        one.operator not in ("add", *_FROM) and one.path.endswith("/-")
    ):
        yield wrong(f"{path}.path", one.path, "- is the end of a list: something is added there")


def check_document_operation(one: DocumentOperation, path: str) -> Iterable[FieldError]:
    """An operation within a document, which may be changed anywhere."""
    pointers = [("subPath", one.sub_path)]
    if one.operator in _FROM:
        pointers.append(("from", one.from_))
    for field, pointer in pointers:
        if not _WITHIN.fullmatch(pointer):
            yield wrong(f"{path}.{field}", pointer, "must be a JSON pointer (RFC 6901)")
    yield from _check_operands(one, path)
    if one.operator in _FROM:
        yield from _check_nesting(one.operator, one.sub_path, one.from_, path)
    elif one.operator == "remove" and not one.sub_path:
        yield forbidden(f"{path}.subPath", "the whole document cannot be removed")


def _check_operands(one: PlaintextOverrider | DocumentOperation, path: str) -> Iterable[FieldError]:
    if one.operator in _VALUED and one.value is None:
        yield required(f"{path}.value", f"what to {one.operator}")
    if one.operator not in _VALUED and one.value is not None:
        yield forbidden(f"{path}.value", f"{one.operator} takes no value")
    if one.operator not in _FROM and one.from_:
        yield forbidden(f"{path}.from", f"{one.operator} takes nothing from elsewhere")


def _check_nesting(operator: str, to: str, origin: str, path: str) -> Iterable[FieldError]:
    if operator == "move" and to.startswith(f"{origin}/"):
        yield wrong(f"{path}.from", origin, "cannot be moved into itself")
