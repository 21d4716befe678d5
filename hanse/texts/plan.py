"""Plans for people: who moves where, what has no place, and the sums."""

from collections.abc import Iterator

from hanse.texts.explanation import shortage
from shared.events.plan_words import change_words, cost_words, displacement_words, sum_words
from shared.events.planning import Plan

_SHOWN_MAX = 200


def as_text(found: Plan) -> str:
    return "".join(f"{line}\n" for line in _lines(found))


def _lines(found: Plan) -> Iterator[str]:
    for one in found.changes[:_SHOWN_MAX]:
        yield change_words(one)
        yield from (f"  {words}" for words in displacement_words(one))
        if not one.fits:
            yield f"  {'has' if not one.fitted else 'would have'} no place: {shortage(one.message)}"
        else:
            yield from (f"  {note}" for note in one.notes if note not in found.message)
        if one.interrupted:
            yield f"  {_stopping(one.interrupted)} before others run"
    if len(found.changes) > _SHOWN_MAX:
        yield f"... and {len(found.changes) - _SHOWN_MAX} more"
    if not found.changes:
        yield "nothing moves"
    yield sum_words(found)
    yield from filter(None, (cost_words(found), found.message))


def _stopping(count: int) -> str:
    return "1 replica stops" if count == 1 else f"{count} replicas stop"
