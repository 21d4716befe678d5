"""Room that is taken by decisions under way: decided, and not in what the member reports yet.

A replica is under way from its decision until its member is seen to run it, and from then until the
member's room is reckoned anew. It is given back when the member refuses the object, when the share
shrinks or goes, and after `TERM`: pods that do not come by then may never come, and those that are
bound to a node and do not start are in the room that the member reports.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.scheduler.core.room import Ask, Taken
from services.scheduler.core.running import seen_running
from shared.api.binding import BindingSpec, ClusterReport
from shared.apimachinery.manifest import GroupVersionKind, ObjectKey

TERM = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class UnderWay:
    """Of a share: so many replicas are not seen yet, so many seen but not in the room yet."""

    share: int
    waiting: int
    arrived: int
    until: datetime

    @property
    def taken(self) -> int:
        return self.waiting + self.arrived

    def follow(self, share: int, missing: int, now: datetime) -> "UnderWay":
        """Return what is under way once *missing* of *share* replicas are not seen running.

        Only growth adds to it: what ran before and runs no more is in the member's room.
        """
        growth = max(0, share - self.share)
        waiting = min(self.waiting + growth, missing)
        if share < self.share:
            return UnderWay(share, waiting, min(self.arrived, share - waiting), self.until)
        came = self.waiting + growth - waiting
        until = now + TERM if growth or came else self.until
        return UnderWay(share, waiting, self.arrived + came, until)


def shares_of(spec: BindingSpec | None) -> Mapping[str, int]:
    """How many replicas each cluster of a decision runs."""
    if spec is None or spec.replicas is None:
        return {}
    whole = spec.replicas
    return {
        one.name: whole if one.replicas is None else one.replicas
        for one in spec.clusters
        if not one.required
    }


def missing_of(spec: BindingSpec, report: ClusterReport | None, share: int) -> int | None:
    """How many of a share are not seen running; None where the member refuses the object."""
    if report is not None and not report.applied and report.message:
        return None
    gvk = GroupVersionKind.parse(spec.resource.api_version, spec.resource.kind)
    return max(0, share - seen_running(gvk, spec.replicas or 0, report))


class Reserved:
    """What is under way of every binding; told of every decision and of every report, in order."""

    def __init__(self) -> None:
        self._under_way: dict[str, dict[ObjectKey, UnderWay]] = {}
        self._clusters: dict[ObjectKey, set[str]] = {}
        self._asks: dict[ObjectKey, tuple[Ask, str]] = {}
        # In the order in which they end; one that was prolonged is put back when its turn comes.
        self._ends: dict[tuple[str, ObjectKey], datetime] = {}
        self.changed: set[str] = set()
        """Clusters of which something else is taken; whoever reads it clears it."""

    def __bool__(self) -> bool:
        return bool(self._clusters)

    def note(
        self,
        binding: ObjectKey,
        before: BindingSpec | None,
        after: BindingSpec | None,
        reports: Iterable[ClusterReport],
        now: datetime,
    ) -> bool:
        """Take in that *binding* says *after*; returns whether room was given back.

        *before* is what it said where nothing of it is under way.
        """
        known = self._clusters.get(binding, set())
        if not known and (after is None or before == after):
            return False
        earlier, shares = shares_of(before), shares_of(after)
        said = {one.cluster: one for one in reports}
        given_back = False
        for name in {*shares, *known}:
            share = shares.get(name, 0)
            old = self._under_way.get(name, {}).get(binding)
            start = old or UnderWay(earlier.get(name, 0), 0, 0, now + TERM)
            missing = missing_of(after, said.get(name), share) if after is not None else 0
            if missing is None:
                new = replace(start, share=share, waiting=0, arrived=0)
            else:
                new = start.follow(share, missing, now)
            given_back |= new.taken < start.taken and (missing is None or share < start.share)
            if new != start:
                self._put(binding, name, new)
        return given_back

    def _put(self, binding: ObjectKey, name: str, entry: UnderWay) -> None:
        self.changed.add(name)
        here = self._under_way.setdefault(name, {})
        clusters = self._clusters.setdefault(binding, set())
        if entry.taken:
            here[binding] = entry
            clusters.add(name)
            self._ends.setdefault((name, binding), entry.until)
        else:
            here.pop(binding, None)
            clusters.discard(name)
            self._ends.pop((name, binding), None)
        if not clusters:
            del self._clusters[binding]
            self._asks.pop(binding, None)

    def holds(self, binding: ObjectKey) -> bool:
        """Whether anything of *binding* is under way."""
        return binding in self._clusters

    def takes_of(self, cluster: str) -> bool:
        return bool(self._under_way.get(cluster))

    def unasked(self, cluster: str) -> list[ObjectKey]:
        """Return the bindings under way to *cluster* of which it is not known what they ask for."""
        return [one for one in self._under_way.get(cluster, ()) if one not in self._asks]

    def ask(self, binding: ObjectKey, ask: Ask, namespace: str) -> None:
        """Say what a replica of a binding that is under way asks for."""
        self._asks[binding] = ask, namespace

    def reckoned(self, cluster: str) -> None:
        """Take in that the member's room was reckoned anew: what was seen there is in it."""
        for binding, entry in list(self._under_way.get(cluster, {}).items()):
            if entry.arrived:
                self._put(binding, cluster, replace(entry, arrived=0))

    def expire(self, now: datetime) -> bool:
        """Give back what is under way for too long; returns whether anything was."""
        given_back = False
        while self._ends:
            (name, binding), end = next(iter(self._ends.items()))
            if end > now:
                break
            del self._ends[name, binding]
            entry = self._under_way[name][binding]
            if entry.until > now:
                self._ends[name, binding] = entry.until
            else:
                given_back = True
                self._put(binding, name, replace(entry, waiting=0, arrived=0))
        return given_back

    @property
    def next_end(self) -> datetime | None:
        """When something may be given back for its age, at the earliest."""
        return next(iter(self._ends.values()), None)

    def taken(self, cluster: str) -> list[Taken]:
        """Return what is under way to *cluster*, equal replicas together."""
        sums: dict[tuple[Ask, str], int] = {}
        for binding, entry in self._under_way.get(cluster, {}).items():
            asked = self._asks.get(binding)
            if asked is not None:
                sums[asked] = sums.get(asked, 0) + entry.taken
        return [Taken(ask, namespace, count) for (ask, namespace), count in sums.items()]
