"""A plan in words: who moves where, the sums, and what it costs."""

from collections.abc import Iterator, Mapping, Sequence

from shared.events.placement import PlacedShare
from shared.events.planning import Plan, PlannedChange

_PARTS_MAX = 10
_ABSENT = object()


def change_words(one: PlannedChange) -> str:
    """Say of one object where it goes: `Deployment shop/web: eu-1 5 -> 0, eu-2 3 -> 8`."""
    name = f"{one.namespace}/{one.name}" if one.namespace else one.name
    return f"{one.kind} {name}: {_how(one)}"


def displacement_words(one: PlannedChange) -> Iterator[str]:
    """Say who gives way to it: `2 replicas of Deployment shop/batch give way in eu-1`."""
    for other in one.displaces:
        name = f"{other.namespace}/{other.name}" if other.namespace else other.name
        single = other.replicas == 1
        replicas = "1 replica" if single else f"{other.replicas} replicas"
        yield (
            f"{replicas} of {other.kind} {name} {'gives' if single else 'give'} way in"
            f" {other.cluster}"
            f" (priority {other.priority} under {one.priority})"
        )


def sum_words(plan: Plan) -> str:
    return (
        f"{len(plan.changes)} of {plan.examined} objects change; replicas that move:"
        f" {plan.moved}, that stop before others run: {plan.interrupted} at most; objects that"
        f" would lose their place: {plan.unplaced}"
    )


def cost_words(plan: Plan) -> str:
    """Say what everything costs in an hour, before and after; "" where no price is known."""
    if not (plan.cost_before or plan.cost_after):
        return ""
    unpriced = f"; {plan.unpriced} replicas have no known price" if plan.unpriced else ""
    change = plan.cost_after - plan.cost_before
    return (
        f"it costs {plan.cost_after:.4f} an hour, {plan.cost_before:.4f} before"
        f" ({change:+.4f}){unpriced}"
    )


def _how(one: PlannedChange) -> str:
    if one.reason in ("NotSelected", "Deleted"):
        return one.message
    before, after = _shares(one.before), _shares(one.after)
    parts = [
        f"{name} {_share(name, before)} -> {_share(name, after)}"
        for name in sorted({*before, *after})
        if before.get(name, _ABSENT) != after.get(name, _ABSENT)
    ]
    if len(parts) > _PARTS_MAX:
        parts[_PARTS_MAX:] = [f"and {len(parts) - _PARTS_MAX} more clusters"]
    return ", ".join(parts) or ("stays where it is" if before else "goes nowhere")


def _shares(shares: Sequence[PlacedShare]) -> Mapping[str, int | None]:
    return {one.cluster: one.replicas for one in shares}


def _share(name: str, shares: Mapping[str, int | None]) -> str:
    if name not in shares:
        return "0"
    share = shares[name]
    return "whole" if share is None else str(share)
