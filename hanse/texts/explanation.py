"""Explanations for people: a line for each cluster that has a share, one for each reason."""

from collections.abc import Iterable, Iterator, Sequence

from hanse.texts.traffic import traffic_lines
from shared.events.explaining import ClusterVerdict, EarlierDecision, Explanation
from shared.events.placement import ScorePart

_NAMES_MAX = 8
_EARLIER_SHOWN = 5
_NO_GROUP = "no group of clusters holds it: "


def as_text(found: Explanation) -> str:
    return "".join(f"{line}\n" for line in _lines(found))


def _lines(found: Explanation) -> Iterator[str]:
    yield _headline(found)
    if found.recorded:
        why = f", because {found.trigger_message}" if found.trigger_message else ""
        yield f"decided {found.decided_at}{why}"
    else:
        yield "when it was decided is no longer known; by what is there now:"
    for name, why in found.unheard.items():
        yield f"  plugin {name} was not heard: {why}"
    for name, why_not in found.passed_over.items():
        yield f"  not group {name}: {why_not}"
    if found.scheduled:
        # Else the message below says what there is to say.
        yield from (f"  {note}" for note in found.notes)
    if found.policy and found.needed_by:
        yield f"  needed by {some_names(found.needed_by)} too"
    if found.missing:
        yield f"  refers to what is not here: {some_names(found.missing)}"
    if not found.scheduled:
        yield f"  {found.reason}: {shortage(found.message)}"
    yield from _verdicts(found.clusters, found.replicas)
    if found.now:
        yield "today it would be:"
        yield from _verdicts(found.now, found.replicas)
    if found.earlier:
        yield "before:"
        for one in found.earlier[:_EARLIER_SHOWN]:
            yield f"  {_earlier(one)}"
    yield from traffic_lines(found.traffic)


def shortage(message: str) -> str:
    """Return what is missing, of a message that goes on with where it stays and each cluster."""
    return message if message.startswith(_NO_GROUP) else message.partition("; ")[0]


def _headline(found: Explanation) -> str:
    name = f"{found.about} {found.namespace}/{found.name}" if found.namespace else found.name
    count = "" if found.replicas is None else f": {_replicas(found.replicas)}"
    users = some_names(found.needed_by) or "others"
    policy = f", by policy {found.policy}" if found.policy else f", for the sake of {users}"
    group = f", group {found.affinity}" if found.affinity else ""
    return f"{name}{count}{policy}{group}"


def _verdicts(verdicts: Iterable[ClusterVerdict], whole: int | None) -> Iterator[str]:
    out: dict[str, list[str]] = {}
    placed, leaving = [], []
    for one in verdicts:
        if one.standing == "Placed":
            placed.append(f"  {one.cluster}: {_share(one.replicas, whole)}{_liked(one)}")
        elif one.standing == "Leaving":
            why = f": {one.message}" if one.message else ""
            leaving.append(f"  leaving {one.cluster}: {_share(one.replicas, whole)}{why}")
        else:
            out.setdefault(one.message or one.code, []).append(one.cluster)
    yield from placed
    yield from leaving
    for message, names in out.items():
        yield f"  not {some_names(names)}: {message}"


def _share(replicas: int | None, whole: int | None) -> str:
    if replicas is None:
        return "the whole"
    return str(replicas) if whole is None else f"{replicas} of {whole}"


def _liked(one: ClusterVerdict) -> str:
    words = [] if one.score is None else [f"score {one.score}"]
    words += [_part(part) for part in one.parts]
    return f" ({'; '.join(words)})" if words else ""


def _part(part: ScorePart) -> str:
    """`price 0.041, 100 points by 60`: what it is, and what is made of it."""
    value = f" {part.value:.4g}" if part.value is not None else " not known"
    if part.expired:
        value = " expired"
    points = f"{part.points} points by {part.weight}" if part.weight else "shares by it"
    return f"{part.name}{value}, {points}"


def _replicas(count: int) -> str:
    return "1 replica" if count == 1 else f"{count} replicas"


def some_names(names: Sequence[str], most: int = _NAMES_MAX) -> str:
    """`a, b and 3 more`."""
    shown = ", ".join(names[:most])
    more = len(names) - most
    return f"{shown} and {more} more" if more > 0 else shown


def _earlier(one: EarlierDecision) -> str:
    shares = [
        each.cluster if each.replicas is None else f"{each.cluster} {each.replicas}"
        for each in one.clusters
    ]
    where = some_names(shares) or "nowhere"
    why = f" ({one.trigger_message})" if one.trigger_message else ""
    failed = "" if one.scheduled else ", not as asked for"
    return f"{one.decided_at}: {where}{failed}{why}"
