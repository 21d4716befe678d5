"""What a quota counts of a workload, and how much of it is left: exact, in nano-units."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from shared.apimachinery.quantity import QuantityForm, form_of, format_quantity, parse_quantity
from shared.interpreter.replicas import ReplicaDemand

NANO = 10**9
PODS = "pods"
_REQUESTS = "requests."
_PLAIN = frozenset({"cpu", "memory", PODS, "ephemeral-storage"})

Nanos = Mapping[str, int]
"""By resource, without `requests.`."""


def counted(stated: str) -> str:
    """Name what pods ask for that a limit is about; "" for what is not counted here."""
    if stated.startswith(_REQUESTS):
        return stated.removeprefix(_REQUESTS)
    if stated == "count/pods":
        return PODS
    if stated in _PLAIN or stated.startswith("hugepages-"):
        return stated
    # An extended resource bears its domain.
    extended = "/" in stated and not stated.startswith(("count/", "limits."))
    return stated if extended else ""


def nanos(text: str) -> int:
    """Raise ValueError for what is no quantity."""
    return int(parse_quantity(text).scaleb(9))


def asks_of(demand: ReplicaDemand) -> Nanos:
    """Return what one replica takes of a quota; raises ValueError for an unreadable quantity."""
    found = {name: nanos(text) for name, text in demand.requests.items()}
    return {**{name: amount for name, amount in found.items() if amount > 0}, PODS: NANO}


def hard_of(stated: Mapping[str, str]) -> Nanos:
    """Read limits by what they count, the lower of two for the same; unreadable ones limit none."""
    found: dict[str, int] = {}
    for name, text in stated.items():
        resource = counted(name)
        if not resource:
            continue
        try:
            amount = nanos(text)
        except ValueError:
            continue
        found[resource] = min(amount, found.get(resource, amount))
    return found


def times(each: Nanos, replicas: int) -> Nanos:
    return {name: amount * replicas for name, amount in each.items()}


def total(several: Iterable[Nanos]) -> Nanos:
    found: dict[str, int] = {}
    for amounts in several:
        for name, amount in amounts.items():
            found[name] = found.get(name, 0) + amount
    return found


def replicas_left(hard: Nanos, used: Nanos, each: Nanos) -> int | None:
    """How many more replicas the limits leave; None: any number."""
    left = [
        max(0, hard[name] - used.get(name, 0)) // amount
        for name, amount in each.items()
        if name in hard and amount
    ]
    return min(left, default=None)


def shown(amounts: Nanos, stated: Mapping[str, str]) -> dict[str, str]:
    """Write *amounts* under the names, and in the forms, of the limits *stated*."""
    found = {}
    for name, text in sorted(stated.items()):
        resource = counted(name)
        if resource:
            amount = Decimal(amounts.get(resource, 0)).scaleb(-9)
            found[name] = format_quantity(amount, _form(text))
    return found


def _form(text: str) -> QuantityForm:
    try:
        return form_of(text)
    except ValueError:
        return QuantityForm.DECIMAL


def exceeding(
    name: str, stated: Mapping[str, str], used: Nanos, asked: Nanos, before: Nanos
) -> str:
    """Say in kube-apiserver's words which limits *asked* exceeds; "" where it exceeds none.

    *used* is what others have, *before* what it had itself: what grows in nothing is let be.
    """
    hard = hard_of(stated)
    over = {
        resource
        for resource, amount in asked.items()
        if resource in hard
        and amount > before.get(resource, 0)
        and used.get(resource, 0) + amount > hard[resource]
    }
    if not over:
        return ""
    limits = {key: text for key, text in stated.items() if counted(key) in over}
    more = {key: asked[key] - before.get(key, 0) for key in over}
    there = total((used, before))
    words = (_words(shown(amounts, limits)) for amounts in (more, there))
    return "exceeded quota: {}, requested: {}, used: {}, limited: {}".format(
        name, *words, _words(limits)
    )


def _words(amounts: Mapping[str, str]) -> str:
    return ",".join(f"{name}={text}" for name, text in sorted(amounts.items()))
