"""Which members an affinity covers, and which groups of members a placement lets be tried."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from services.scheduler.core.member import Member
from shared.api.matching import covers_place
from shared.api.placement import Placement, PlacementAffinity
from shared.apimachinery.cel.expression import Expression, ExpressionFailed
from shared.errors import FieldError, InvalidObject

CLUSTER = "cluster"
"""The variable of CEL expressions over a Cluster."""


def covers(affinity: PlacementAffinity, member: Member) -> bool:
    """Whether every part of *affinity* speaks for *member*; raises `InvalidObject`.

    An expression that finds no answer, as for a label that is not there, does not cover.
    """
    if not covers_place(affinity, member.name, member.labels, member.place):
        return False
    if affinity.cluster_groups and not member.groups.intersection(affinity.cluster_groups):
        return False
    selector = affinity.cel_selector
    return selector is None or all(_says(one, member) for one in selector.cel_expressions)


def _says(text: str, member: Member) -> bool:
    try:
        return compile_cel(text).evaluate({CLUSTER: member.described}) is True
    except ExpressionFailed:
        return False


@lru_cache(maxsize=1_024)
def compile_cel(text: str) -> Expression:
    """Compile an expression over a Cluster; raises `InvalidObject`."""
    try:
        return Expression(text, (CLUSTER,), boolean=True)
    except ExpressionFailed as err:
        raise InvalidObject(f"CEL: {err}", [FieldError("celExpressions", str(err))]) from err


@dataclass(frozen=True, slots=True)
class Reach:
    """Where replicas may go: `tiers` in order, the later ones for what the former cannot take.

    `name` is that of the group of clusters, "" where the placement has no ordered groups.
    """

    tiers: tuple[PlacementAffinity | None, ...]
    name: str = ""


_ANYWHERE = Reach((None,))


def reaches(placement: Placement, current: str) -> Iterator[Reach]:
    """Yield the groups to be tried in order: first the *current* one, for to stay is best."""
    if not placement.cluster_affinities:
        affinity = placement.cluster_affinity
        yield Reach((affinity,)) if affinity is not None else _ANYWHERE
        return
    found = [
        Reach((one, *one.overflow_affinities), one.affinity_name)
        for one in placement.cluster_affinities
    ]
    yield from (one for one in found if one.name == current)
    yield from (one for one in found if one.name != current)
