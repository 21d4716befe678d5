"""How functions are declared to the engine: by name, with an implementation per signature."""

from collections.abc import Callable, Sequence
from typing import Any

from cel_expr_python import cel

Type = cel.Type
BOOL, INT, DOUBLE, STRING, DYN = Type.BOOL, Type.INT, Type.DOUBLE, Type.STRING, Type.DYN
LIST = Type.List(DYN)
TEXTS = Type.List(STRING)

Signature = tuple[Sequence[Any], Any, Callable[..., Any] | None]
"""Parameters, result, implementation.

The engine tells overloads apart by the kind of value only, and every message is of one kind: of
overloads that differ in their messages the first has the implementation, for all of them.
"""

# What one call may make: an object's own limit, so that no rule multiplies what it was given.
RESULT_MAX = 4 * 1024 * 1024
TOO_LONG = f"a text of more than {RESULT_MAX} characters would be made"


def method(name: str, *overloads: Signature) -> tuple[str, list[Any]]:
    """Declare `target.name(...)`: parameters with the target first, result, implementation."""
    return _declared(name, overloads, member=True)


def function(name: str, *overloads: Signature) -> tuple[str, list[Any]]:
    """Declare `name(...)`."""
    return _declared(name, overloads, member=False)


def _declared(
    name: str,
    overloads: Sequence[Signature],
    *,
    member: bool,
) -> tuple[str, list[Any]]:
    kind = "method" if member else "function"
    return name, [
        cel.Overload(
            f"{name}_{kind}_{'_'.join(_plain(one) for one in parameters) or 'none'}",
            return_type=result,
            parameters=list(parameters),
            is_member=member,
            **({} if implementation is None else {"impl": implementation}),
        )
        for parameters, result, implementation in overloads
    ]


def _plain(kind: Any) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in str(kind.name()))


def bounded(text: str) -> str:
    """Return *text*; raises ValueError where a rule made too much of it."""
    if len(text) > RESULT_MAX:
        raise ValueError(TOO_LONG)
    return text
