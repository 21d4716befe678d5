"""Objects that name no other and are meant for some all the same: Services, by pods' labels."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from services.scheduler.core.dependencies.dependents import Identity

_Pair = tuple[str, str, Any]
Labels = Mapping[str, Any]


class Workloads:
    """Which objects make pods of which labels."""

    def __init__(self) -> None:
        self._labels: dict[Identity, tuple[Labels, ...]] = {}
        # Most pairs, as of an application's name, are those of one workload: no set is made for it.
        self._by_pair: dict[_Pair, Identity | set[Identity]] = {}

    def put(self, workload: Identity, labels: tuple[Labels, ...]) -> None:
        """Note the labels of each of its kinds of pods; none forgets it."""
        if self._labels.get(workload, ()) == labels:
            return
        for pair in _pairs(workload, self._labels.pop(workload, ())):
            found = self._by_pair[pair]
            if isinstance(found, set):
                found.discard(workload)
            if not isinstance(found, set) or not found:
                del self._by_pair[pair]
        if labels:
            self._labels[workload] = labels
        for pair in _pairs(workload, labels):
            there = self._by_pair.setdefault(pair, workload)
            if isinstance(there, set):
                there.add(workload)
            elif there != workload:
                self._by_pair[pair] = {there, workload}

    def selected(self, service: Identity, selector: Labels) -> set[Identity]:
        """Return the workloads of the namespace that *selector* means; an empty one means none."""
        pairs = _pairs(service, (selector,))
        likely = min((self._bearing(pair) for pair in pairs), key=len, default=())
        return {
            one for one in likely if any(_selects(selector, each) for each in self._labels[one])
        }

    def _bearing(self, pair: _Pair) -> Collection[Identity]:
        found = self._by_pair.get(pair, set())
        return found if isinstance(found, set) else (found,)


class Services:
    """Which Services select which labels."""

    def __init__(self) -> None:
        self._selectors: dict[Identity, Labels] = {}
        # By one label of the selector, which whatever is selected must have.
        self._by_pair: dict[_Pair, set[Identity]] = {}

    def put(self, service: Identity, selector: Labels) -> Labels:
        """Note what *service* selects, nothing to forget it; returns what it selected before."""
        before = self._selectors.pop(service, {})
        for pair in _first(service, before):
            self._by_pair[pair].discard(service)
            if not self._by_pair[pair]:
                del self._by_pair[pair]
        for pair in _first(service, selector):
            self._selectors[service] = selector
            self._by_pair.setdefault(pair, set()).add(service)
        return before

    def selecting(self, workload: Identity, labels: Iterable[Labels]) -> set[Identity]:
        """Return the Services of the namespace that mean pods of *labels*."""
        if not self._selectors:
            return set()
        return {
            service
            for each in labels
            for pair in _pairs(workload, (each,))
            for service in self._by_pair.get(pair, ())
            if _selects(self._selectors[service], each)
        }


def _pairs(identity: Identity, labels: Iterable[Labels]) -> set[_Pair]:
    return {(identity[2], name, _plain(value)) for one in labels for name, value in one.items()}


def _first(identity: Identity, selector: Labels) -> list[_Pair]:
    return sorted(_pairs(identity, (selector,)), key=lambda pair: pair[1])[:1]


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else repr(value)


def _selects(selector: Labels, labels: Labels) -> bool:
    return all(labels.get(name) == value for name, value in selector.items())
