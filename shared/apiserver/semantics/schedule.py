"""Schedules as crontab(5) has them, in the dialect of CronJobs (`github.com/robfig/cron`)."""

import re
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
# Each field: its least and greatest number, and the names that stand for numbers.
_FIELDS: tuple[tuple[int, int, tuple[str, ...]], ...] = (
    (0, 59, ()),
    (0, 23, ()),
    (1, 31, ()),
    (1, 12, _MONTHS),
    (0, 6, _DAYS),
)
_WORDS = frozenset(
    ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
)
_EVERY = re.compile(r"@every ([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+")
_TERM = re.compile(r"(\*|\?|[a-z0-9]+)(?:-([a-z0-9]+))?(?:/([0-9]+))?")
_ZONE = re.compile(r"(TZ|CRON_TZ)=\S+ +")
_ZONE_PART = re.compile(r"(?!-)(?!\.{1,2}$)[A-Za-z._0-9+-]{1,14}")


def schedule_fault(text: str) -> str | None:
    """What is wrong with a schedule of five fields, or of one word; None if nothing is."""
    text = _ZONE.sub("", text, count=1) if text.startswith(("TZ=", "CRON_TZ=")) else text
    if text in _WORDS or _EVERY.fullmatch(text):
        return None
    if text.startswith("@"):
        return f"unrecognized descriptor: {text}"
    fields = text.lower().split()
    if len(fields) != len(_FIELDS):
        return f"expected exactly 5 fields, found {len(fields)}: [{' '.join(fields)}]"
    for field, (least, most, names) in zip(fields, _FIELDS, strict=True):
        if not all(_is_term(term, least, most, names) for term in field.split(",")):
            return f"{field} is out of range or no schedule field"
    return None


def _is_term(term: str, least: int, most: int, names: tuple[str, ...]) -> bool:
    found = _TERM.fullmatch(term)
    if found is None:
        return False
    first, last, step = found.groups()
    if step is not None and int(step) == 0:
        return False
    if first in ("*", "?"):
        return True
    numbers = [_number(each, least, names) for each in (first, last) if each is not None]
    inside = all(number is not None and least <= number <= most for number in numbers)
    return inside and numbers == sorted(number for number in numbers if number is not None)


def _number(text: str, least: int, names: tuple[str, ...]) -> int | None:
    if text in names:
        return names.index(text) + least
    return int(text) if text.isdigit() else None


def time_zone_fault(name: str) -> str | None:
    """What is wrong with the name of a time zone of IANA's; None if nothing is."""
    if not name:
        return "timeZone must be nil or non-empty string"
    if not all(_ZONE_PART.fullmatch(part) for part in name.split("/")):
        return f"unknown time zone {name}"
    if name.lower() == "local":
        return (
            "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        )
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return f"unknown time zone {name}"
    return None
