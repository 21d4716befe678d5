"""Durations as text: Go's (`1h30m`), and the words that `strfmt` reads beside them (`3 days`)."""

import re

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_LONG_UNITS = _UNITS | {
    "nano": 1e-9,
    "micro": 1e-6,
    "milli": 1e-3,
    "sec": 1.0,
    "min": 60.0,
    "hr": 3600.0,
    "hour": 3600.0,
    "d": 86_400.0,
    "day": 86_400.0,
    "w": 604_800.0,
    "wk": 604_800.0,
    "week": 604_800.0,
}
_NUMBER = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_PART = re.compile(rf"({_NUMBER})(ns|us|µs|ms|s|m|h|d|w)")
_WHOLE = re.compile(rf"([+-]?)((?:{_PART.pattern})+|0)")
_WORDS = re.compile(rf"([0-9]+) ?({'|'.join(sorted(_LONG_UNITS, key=len, reverse=True))})s?")


def parse_duration(text: str) -> float:
    """Return seconds; raises ValueError for what is no duration."""
    if found := _WHOLE.fullmatch(text):
        seconds = sum(float(number) * _LONG_UNITS[unit] for number, unit in _PART.findall(found[2]))
        return -seconds if found[1] == "-" else seconds
    if found := _WORDS.fullmatch(text):
        return float(found[1]) * _LONG_UNITS[found[2]]
    raise ValueError(f"{text[:40]!r} is no duration")
