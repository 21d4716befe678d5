"""The texts of overriders in which variables are looked for: their values, never their paths."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec

from shared.api.cluster import Cluster
from shared.api.meta import section
from shared.api.override import Overriders
from shared.api.variables import MARK, UnusableVariable, expand, variables_in

_VALUES = ("value", "valueFrom")
_MARK = MARK.encode()
_encode = msgspec.json.Encoder().encode


def change_texts(overriders: Overriders, change: Callable[[str, str], str]) -> Overriders:
    """Return *overriders* with `change(path, text)` in place of each text of a value.

    Paths are relative to the overriders: `argsOverrider[0].value[1]`. Without a variable anywhere,
    escaped ones included, nothing is looked at.
    """
    if not may_have_variables(overriders):
        return overriders

    def walk(value: Any, path: str, *, inside: bool) -> Any:
        if isinstance(value, dict):
            return {
                name: walk(each, f"{path}.{name}", inside=inside or name in _VALUES)
                for name, each in value.items()
            }
        if isinstance(value, list):
            return [walk(each, f"{path}[{at}]", inside=inside) for at, each in enumerate(value)]
        return change(path, value) if inside and isinstance(value, str) else value

    changed = {
        field: walk(each, field, inside=False) for field, each in section(overriders).items()
    }
    return msgspec.convert(changed, Overriders)


def may_have_variables(overriders: Overriders) -> bool:
    """Whether the mark of a variable is anywhere in it; cheap."""
    return _MARK in _encode(overriders)


def expand_texts(overriders: Overriders, cluster: Cluster) -> Overriders:
    """Replace the variables of the values; raises `UnusableVariable` with the path of the text."""

    def change(path: str, text: str) -> str:
        try:
            return expand(text, cluster)
        except UnusableVariable as err:
            raise UnusableVariable(f"{path}: {err}") from err

    return change_texts(overriders, change)


def variables_of(overriders: Overriders) -> frozenset[str]:
    """The names of the variables in the values; one that no cluster can have is left out."""
    found: set[str] = set()

    def collect(_: str, text: str) -> str:
        # Expanding tells where it is; nothing depends on the cluster before it.
        with suppress(UnusableVariable):
            found.update(variables_in(text))
        return text

    change_texts(overriders, collect)
    return frozenset(found)
