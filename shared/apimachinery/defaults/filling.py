"""How defaults are put into parts of a manifest: an empty text counts as absent, as in Go."""

from collections.abc import Callable, Mapping
from typing import Any

from shared.apimachinery.parts import entries


def filled(given: Mapping[str, Any], usual: Mapping[str, Any]) -> dict[str, Any]:
    """Return *given* with what is *usual* where it says nothing, or an empty text."""
    full = {**usual, **given}
    for name, value in usual.items():
        if full[name] is None or full[name] == "":
            full[name] = value
    return full


def counted(given: Mapping[str, Any], usual: Mapping[str, Any]) -> dict[str, Any]:
    """As `filled`, of numbers of which 0 too says nothing."""
    full = {**usual, **given}
    for name, value in usual.items():
        if not full[name]:
            full[name] = value
    return full


def each(
    parent: dict[str, Any], name: str, fill: Callable[[Mapping[str, Any]], Mapping[str, Any]]
) -> None:
    """Fill in every object of the list under *name*, in place of the old list."""
    if parent.get(name):
        parent[name] = [fill(one) for one in entries(parent, name)]
