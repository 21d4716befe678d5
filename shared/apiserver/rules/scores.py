"""Rules for the scores and plugins of a placement beyond their schema. Pure."""

import math
from collections.abc import Iterable, Sequence

from shared.api.scoring import LATENCY, MeasuredFrom, Plugin, Score
from shared.apiserver.names import check_label
from shared.apiserver.rules.selection import forbidden, required, wrong
from shared.errors import FieldError

_WEIGHT_MAX = 100
_SCORES_MAX = 16
_PLUGINS_MAX = 4
_MILLISECONDS_MAX = 5_000


def check_scores(scores: Sequence[Score], path: str) -> Iterable[FieldError]:
    if len(scores) > _SCORES_MAX:
        yield FieldError(path, f"Too many: {len(scores)}: must have at most {_SCORES_MAX} items")
    seen: set[tuple[object, ...]] = set()
    for index, one in enumerate(scores):
        where = f"{path}[{index}]"
        yield from _check_name(one.name, where)
        if not 1 <= one.weight <= _WEIGHT_MAX:
            yield wrong(f"{where}.weight", one.weight, f"must be between 1 and {_WEIGHT_MAX}")
        yield from _check_scale(one, where)
        yield from check_origin(one, where, allowed=one.name == LATENCY, of="the score latency")
        what = (one.name, one.from_region, one.from_cluster, one.from_workload)
        if what in seen:
            yield _duplicate(where, one.name)
        seen.add(what)


def check_origin(
    stated: MeasuredFrom, path: str, *, allowed: bool, of: str
) -> Iterable[FieldError]:
    """Judge from where latency is counted, which is *allowed* only *of* latency."""
    given = {
        "fromRegion": bool(stated.from_region),
        "fromCluster": bool(stated.from_cluster),
        "fromWorkload": stated.from_workload is not None,
    }
    named = [name for name, is_given in given.items() if is_given]
    if named and not allowed:
        yield forbidden(f"{path}.{named[0]}", f"it is of {of} only")
    elif len(named) > 1:
        yield forbidden(f"{path}.{named[1]}", f"{named[0]} is given as well")
    if stated.from_cluster and (why := check_label(stated.from_cluster)):
        yield wrong(f"{path}.fromCluster", stated.from_cluster, why)
    if stated.from_workload is not None and not stated.from_workload.name:
        yield required(f"{path}.fromWorkload.name", "of the same namespace")


def _check_scale(one: Score, path: str) -> Iterable[FieldError]:
    if (one.best is None) != (one.worst is None):
        missing = "best" if one.best is None else "worst"
        yield required(f"{path}.{missing}", "best and worst are given together")
    elif one.best is not None and one.worst is not None:
        if one.best == one.worst or not (math.isfinite(one.best) and math.isfinite(one.worst)):
            yield wrong(f"{path}.worst", one.worst, "must be finite, and not be best")
        elif one.prefer:
            yield forbidden(f"{path}.prefer", "best and worst say which value is best")


def check_plugins(plugins: Sequence[Plugin], path: str) -> Iterable[FieldError]:
    if len(plugins) > _PLUGINS_MAX:
        yield FieldError(path, f"Too many: {len(plugins)}: must have at most {_PLUGINS_MAX} items")
    seen: set[str] = set()
    for index, one in enumerate(plugins):
        where = f"{path}[{index}]"
        yield from _check_name(one.name, where)
        if not 0 <= one.weight <= _WEIGHT_MAX:
            yield wrong(f"{where}.weight", one.weight, f"must be between 0 and {_WEIGHT_MAX}")
        elif not one.weight and not one.filter:
            yield required(f"{where}.weight", "a plugin filters, or has a weight, or both")
        if not 1 <= one.timeout_milliseconds <= _MILLISECONDS_MAX:
            why = f"must be between 1 and {_MILLISECONDS_MAX}"
            yield wrong(f"{where}.timeoutMilliseconds", one.timeout_milliseconds, why)
        if one.name in seen:
            yield _duplicate(where, one.name)
        seen.add(one.name)


def _check_name(name: str, path: str) -> Iterable[FieldError]:
    if why := check_label(name):
        yield wrong(f"{path}.name", name, why)


def _duplicate(path: str, name: str) -> FieldError:
    return FieldError(f"{path}.name", f'Duplicate value: "{name}"', "FieldValueDuplicate")
