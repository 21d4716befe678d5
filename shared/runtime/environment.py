"""Settings from environment variables: one rule for every service.

A field `probe_interval` of a Settings dataclass is read from `HANSE_PROBE_INTERVAL`; a field that
is itself a dataclass adds its name (`HANSE_NATS_URL`). Times are seconds. What is not set keeps its
default; what cannot be read is an error that names the variable and never shows its value.
"""

import dataclasses
import typing
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

PREFIX = "HANSE_"

AnySettings = TypeVar("AnySettings")

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off"}


class BadSetting(ValueError):
    """A variable that cannot be read as what the setting needs."""


def read_settings(
    settings: type[AnySettings], environment: Mapping[str, str], prefix: str = PREFIX
) -> AnySettings:
    """Build *settings* (a dataclass) from *environment*; raises `BadSetting`."""
    hints = typing.get_type_hints(settings)
    found: dict[str, Any] = {}
    for field in dataclasses.fields(typing.cast("Any", settings)):
        kind = hints[field.name]
        variable = prefix + field.name.upper()
        if dataclasses.is_dataclass(kind):
            found[field.name] = read_settings(
                typing.cast("type[Any]", kind), environment, f"{variable}_"
            )
        elif variable in environment:
            try:
                found[field.name] = _read(environment[variable], kind)
            except (ValueError, TypeError) as err:
                raise BadSetting(f"{variable} is not a valid {_name(kind)}") from err
    try:
        return settings(**found)
    except TypeError as err:
        raise BadSetting(f"settings of {prefix.rstrip('_')} are incomplete: {err}") from err


def _name(kind: Any) -> str:
    return "number of seconds" if kind is timedelta else getattr(kind, "__name__", str(kind))


def _read(text: str, kind: Any) -> Any:
    if typing.get_origin(kind) is tuple:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    options = [option for option in typing.get_args(kind) if option is not type(None)]
    if options and type(None) in typing.get_args(kind):
        return _read(text, options[0]) if text else None
    if typing.get_origin(kind) is typing.Literal:
        if text not in typing.get_args(kind):
            raise ValueError(text)
        return text
    if kind is bool:
        if text.lower() not in _TRUE | _FALSE:
            raise ValueError(text)
        return text.lower() in _TRUE
    if kind is timedelta:
        return timedelta(seconds=float(text))
    if kind in (str, int, float, Path):
        return kind(text)
    raise TypeError(f"settings of type {kind} are not read from the environment")
