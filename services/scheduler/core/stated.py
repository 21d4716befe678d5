"""Weights that a policy states, by cluster and by weight."""

from collections.abc import Mapping, Sequence

import msgspec

from services.scheduler.core.decision import Rejection, RejectionCode
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.replicas import UNBOUNDED, Bounds
from shared.api.placement import WeightPreference

_encode = msgspec.json.Encoder().encode

NO_WEIGHT = Rejection(RejectionCode.NO_WEIGHT, "the policy gives it no weight")


def stated_weights(fleet: Fleet, preference: WeightPreference | None) -> Mapping[str, int]:
    """Weights above zero; the greatest of the entries that cover a member counts."""
    if preference is None or not preference.static_weight_list:
        return fleet.remember("equal weights", lambda: dict.fromkeys(fleet.members, 1))

    def read() -> dict[str, int]:
        found: dict[str, int] = {}
        for entry in preference.static_weight_list:
            if entry.weight > 0:
                for name in fleet.covered_by(entry.target_cluster):
                    found[name] = max(found.get(name, 0), entry.weight)
        return found

    return fleet.remember(("weights", _encode(preference)), read)


def weight_levels(fleet: Fleet, preference: WeightPreference | None) -> Sequence[tuple[int, int]]:
    """Return the stated weights, the greatest first, each with the set of those who have it."""

    def work_out() -> Sequence[tuple[int, int]]:
        names: dict[int, list[str]] = {}
        for name, weight in stated_weights(fleet, preference).items():
            names.setdefault(weight, []).append(name)
        return [(weight, fleet.roll.mask(names[weight])) for weight in sorted(names, reverse=True)]

    return fleet.remember(("levels", _encode(preference)), work_out)


def weights_among(
    stated: Mapping[str, int], bounds: Mapping[str, Bounds], names: Sequence[str]
) -> tuple[dict[str, int], dict[str, Rejection]]:
    """Leave out who has no weight, unless it is to have a least share all the same."""
    weights: dict[str, int] = {}
    rejections: dict[str, Rejection] = {}
    for name in names:
        if name in stated:
            weights[name] = stated[name]
        elif bounds.get(name, UNBOUNDED).least > 0:
            weights[name] = 0
        else:
            rejections[name] = NO_WEIGHT
    return weights, rejections
