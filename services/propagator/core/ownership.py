"""What of an order is insisted on, and what is left to whoever holds it in the member.

Where nobody touched anything there is nothing to decide. Otherwise each field that was lost is
judged by the policy's drift rules, and the number of replicas by its owner.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from services.propagator.core.drift import LostField, lost_fields, value_at, without_field
from services.propagator.core.marks import MARKS
from shared.api.binding import is_built_in
from shared.api.ownership import DriftMode, DriftPolicy, OwnershipTerms, ReplicaOwnership
from shared.apimachinery.manifest import GroupVersionKind, Manifest, metadata_of
from shared.interpreter.replicas import BUILT_IN
from shared.memberapi.request import FIELD_MANAGER

SCALED = ("spec", "replicas")
"""Where autoscalers write; a Job's parallelism is nobody's but the policy's."""
REPLICAS = ("f:spec", "f:replicas")


class ReplicaClaim(Enum):
    """What to do about the number of replicas."""

    JUDGED = "judged"
    """Hanse's, and drift like anything else where somebody else set it."""
    LEFT = "left"
    """The member's."""
    REGAINED = "regained"
    """Hanse's again: who had it is gone."""


@dataclass(frozen=True, slots=True)
class Division:
    """`insisted` is taken back by applying; `left` is not, and `told` is the part to speak of."""

    insisted: tuple[LostField, ...] = ()
    left: tuple[LostField, ...] = ()
    told: tuple[LostField, ...] = ()


@dataclass(frozen=True, slots=True)
class Claim:
    """What to apply (`body`) where the member has `live`.

    `hand_over` is the number of replicas that another manager must be given first: what its only
    holder lets go of, the server sets to one.
    """

    body: Manifest
    live: Manifest | None
    division: Division = Division()
    hand_over: int | None = None


def has_scale(gvk: GroupVersionKind) -> bool:
    """Whether an autoscaler may set the object's replicas; of custom kinds that is not known."""
    place = BUILT_IN.get((gvk.group, gvk.kind))
    return place.path == SCALED if place is not None else not is_built_in(gvk.group)


def is_members(ownership: ReplicaOwnership, *, autoscaled: bool) -> bool:
    """Whether the member decides how many replicas run."""
    if ownership.owner == "Auto":
        return autoscaled
    return ownership.owner != "Hanse"


def divide(lost: Iterable[LostField], drift: DriftPolicy) -> Division:
    """Judge each of *lost*. What others set to the very value ordered is no drift."""
    insisted, left, told = [], [], []
    for one in lost:
        mode: DriftMode = "Correct" if _is_mark(one.pointer) else mode_of(drift, one.pointer)
        if mode == "Correct":
            insisted.append(one)
        elif not one.is_same:
            left.append(one)
            if mode == "Report":
                told.append(one)
    return Division(tuple(insisted), tuple(left), tuple(told))


def claim(
    ordered: Manifest,
    live: Manifest | None,
    terms: OwnershipTerms,
    replicas: ReplicaClaim,
    *,
    news: bool = False,
) -> Claim:
    """What to apply of *ordered* where the member has *live*.

    With *news* the order is new: a field that nobody holds was never there, for all one can know,
    rather than removed.
    """
    if live is None:
        first = _first(ordered, terms) if replicas is ReplicaClaim.LEFT else ordered
        return Claim(first, None)
    lost = tuple(one for one in lost_fields(ordered, live) if one.actor or not news)
    scaled = tuple(one for one in lost if one.pointer == SCALED)
    if replicas is ReplicaClaim.JUDGED:
        division = divide(lost, terms.drift)
        return Claim(leave_out(ordered, division.left), live, division)
    division = divide((one for one in lost if one not in scaled), terms.drift)
    body = leave_out(ordered, division.left)
    if replicas is ReplicaClaim.REGAINED:
        return Claim(body, live, replace(division, insisted=(*division.insisted, *scaled)))
    allowed = stray_replicas(terms, value_at(live, REPLICAS))
    if allowed is not None:
        strays = tuple(replace(one, ordered=allowed) for one in scaled)
        division = replace(division, insisted=(*division.insisted, *strays))
        return Claim(_with_scale(body, allowed), live, division)
    division = replace(division, left=(*division.left, *scaled))
    return Claim(without_field(body, REPLICAS), live, division, hand_over=_only_ours(live))


def mode_of(drift: DriftPolicy, pointer: Sequence[str]) -> DriftMode:
    mode, length = drift.mode, 0
    for one in drift.paths:
        tokens = tokens_of(one.path)
        if len(tokens) > length and _covers(tokens, pointer):
            mode, length = one.mode, len(tokens)
    return mode


def tokens_of(path: str) -> tuple[str, ...]:
    """The tokens of a JSON pointer (RFC 6901)."""
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in path.split("/")[1:])


def leave_out(manifest: Manifest, fields: Iterable[LostField]) -> Manifest:
    """*manifest* without *fields*, so that applying it takes them from nobody."""
    for one in fields:
        manifest = without_field(manifest, one.steps)
    return manifest


def stray_replicas(terms: OwnershipTerms, replicas: object) -> int | None:
    """The number to correct to, where *replicas* is out of the bounds of shared ownership."""
    ownership = terms.replica_ownership
    if not ownership.is_shared or not isinstance(replicas, int):
        return None
    allowed = ownership.within(replicas)
    return None if allowed == replicas else allowed


def _first(ordered: Manifest, terms: OwnershipTerms) -> Manifest:
    """*ordered* as a new object begins: with the number that was decided, within the bounds."""
    allowed = stray_replicas(terms, value_at(ordered, REPLICAS))
    return ordered if allowed is None else _with_scale(ordered, allowed)


def _with_scale(manifest: Manifest, replicas: int) -> Manifest:
    return {**manifest, "spec": {**(manifest.get("spec") or {}), "replicas": replicas}}


def _only_ours(live: Manifest) -> int | None:
    """The replicas of *live* where nobody but Hanse holds them, so that letting go loses them."""
    replicas = value_at(live, REPLICAS)
    holders = {
        entry.get("manager")
        for entry in metadata_of(live).get("managedFields") or ()
        if "f:replicas" in ((entry.get("fieldsV1") or {}).get("f:spec") or {})
    }
    return replicas if isinstance(replicas, int) and holders == {FIELD_MANAGER} else None


def _covers(tokens: Sequence[str], pointer: Sequence[str]) -> bool:
    return len(tokens) <= len(pointer) and all(
        token in ("*", step) for token, step in zip(tokens, pointer, strict=False)
    )


def _is_mark(pointer: Sequence[str]) -> bool:
    return len(pointer) == 3 and pointer[0] == "metadata" and pointer[2] in MARKS
