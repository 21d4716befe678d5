"""The favourites: the best clusters of the best groups, with which most choices are over.

No choice is worth more than its parts at their best: as much room as any clusters have, as much
kept as there is, as many groups as there may be. Where the favourites reach that, nothing is
better and no other choice need be looked at. Where they do not, it is for the search to tell.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from services.scheduler.core.choice.measure import (
    STEPS_OF_MANY,
    Candidate,
    Measure,
    Worth,
    most_clusters,
    parted,
)
from services.scheduler.core.choice.taking import take
from shared.api.placement import SpreadConstraint


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """All clusters that may be chosen, in columns: of most of them no `Candidate` is ever made.

    `groups` are those of every constraint, `sorts` those of constraints by anything but single
    clusters. `kept` has only those that run anything; `order` is the workload's own, for ties.
    """

    names: Sequence[str]
    groups: Mapping[str, tuple[str, ...]]
    sorts: Mapping[str, tuple[str, ...]]
    capacities: Mapping[str, int]
    kept: Mapping[str, int]
    scores: Mapping[str, int]
    needed: int
    whole: bool
    order: Callable[[Sequence[str]], list[str]]

    def candidates(self, names: Sequence[str]) -> list[Candidate]:
        """Return *names* as candidates, in the workload's own order."""
        capacities, kept, scores = self.capacities, self.kept, self.scores
        return [
            Candidate(name, self.groups[name], capacities[name], kept.get(name, 0), scores[name])
            for name in self.order(names)
        ]


def choose_favourites(
    field: Field, constraints: Sequence[SpreadConstraint]
) -> Sequence[str] | None:
    """Return a choice that nothing is better than; None where that cannot be told so easily."""
    by_sort: dict[tuple[str, ...], list[str]] = {}
    for name in field.names:
        by_sort.setdefault(field.sorts[name], []).append(name)
    parts = [
        _Part.of(place, constraint, by_sort)
        for place, (_, constraint) in enumerate(parted(constraints))
    ]
    most = most_clusters(constraints, len(field.names))
    most = min([most, *(one.most for one in parts)])
    favoured = [_favoured_groups(field, one, most) for one in parts]
    able: list[Candidate] = []
    for sort, names in by_sort.items():
        if all(group in some for group, some in zip(sort, favoured, strict=True)):
            able += sorted(field.candidates(names), key=_liking)[:most]
    able.sort(key=_liking)
    measure = Measure(able, constraints, field.needed, whole=field.whole)
    taken = take(measure, able)
    if taken is None:
        return None
    room, kept, score, spread, count = measure.worth(taken)[:STEPS_OF_MANY]
    unbeatable = (
        (spread, count) == (sum(map(len, favoured)), most)
        and room in (field.needed, _greatest(field.capacities, field.names, most))
        and kept == _greatest(field.kept, field.kept, most)
        and score == _greatest(field.scores, field.names, most)
    )
    return [one.name for one in taken] if unbeatable else None


def _liking(one: Candidate) -> tuple[int, int, int]:
    return -one.kept, -one.score, -one.capacity


@dataclass(frozen=True, slots=True)
class _Part:
    """One constraint by groups: who is in which, and how many groups there may be."""

    groups: Mapping[str, Sequence[str]]
    number: int

    @classmethod
    def of(
        cls,
        place: int,
        constraint: SpreadConstraint,
        by_sort: Mapping[tuple[str, ...], Sequence[str]],
    ) -> "_Part":
        groups: dict[str, list[str]] = {}
        for sort, names in by_sort.items():
            groups.setdefault(sort[place], []).extend(names)
        return cls(groups, min(constraint.max_groups or len(groups), len(groups)))

    @property
    def most(self) -> int:
        """How many clusters so many groups have at most."""
        return sum(sorted(map(len, self.groups.values()), reverse=True)[: self.number])


def _favoured_groups(field: Field, part: _Part, most: int) -> Collection[str]:
    """Return as many groups as there may be, those whose best clusters are worth most.

    Of each so many count as it would give of *most* clusters.
    """
    each = -(-most // part.number)
    worths = {group: _worth(field, names, each) for group, names in part.groups.items()}
    best = sorted(field.order(list(worths)), key=worths.__getitem__, reverse=True)
    return best[: part.number]


def _worth(field: Field, names: Sequence[str], number: int) -> Worth:
    kept = sum(field.kept.get(name, 0) for name in names) if field.kept else 0
    room = _greatest(field.capacities, names, number)
    return kept, _greatest(field.scores, names, number), min(room, field.needed)


def _greatest(values: Mapping[str, int], names: Iterable[str], number: int) -> int:
    return sum(sorted(map(values.__getitem__, names), reverse=True)[:number])
