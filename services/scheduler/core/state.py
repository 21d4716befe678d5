"""What an object is told of its state where it goes: values of its last status, as labels."""

from collections.abc import Iterable, Mapping
from typing import Any

from shared.api.binding import Eviction
from shared.api.failover import StatePreservation
from shared.apimachinery.selectors import check_label_value
from shared.apiserver.json_path import first


def preserve(
    rules: StatePreservation | None, status: Mapping[str, Any]
) -> tuple[dict[str, str], str]:
    """Return labels by *rules*, and which values could not become one, in words."""
    labels: dict[str, str] = {}
    lost = []
    for rule in rules.rules if rules is not None else ():
        text = _text(first(rule.json_path, dict(status)))
        why = "there is no such value" if text is None else _why_no_label(text)
        if text is None or why:
            lost.append(f"{rule.json_path} is not carried along: {why}")
        else:
            labels[rule.alias_label_name] = text
    return labels, "; ".join(lost)


def _why_no_label(text: str) -> str:
    try:
        check_label_value(text)
    except ValueError as err:
        return str(err)
    return ""


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int | float) else None


def carried(evictions: Iterable[Eviction]) -> dict[str, str]:
    """Return what newcomers are told of all that is leaving, by the name of its cluster."""
    found: dict[str, str] = {}
    for one in sorted(evictions, key=lambda each: each.cluster):
        found.update(one.preserved)
    return found
