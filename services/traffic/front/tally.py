"""What a load balancer counted, by policy and cluster, over all the processes that counted it."""

from collections import defaultdict
from collections.abc import Mapping

from services.traffic.core.renderers.haproxy import Layout, endpoints_in
from shared.events.traffic import ClusterCount, FrontTrouble, TrafficWord

Counters = Mapping[tuple[str, str], tuple[int, int]]
"""Requests and errors by backend and server, since their process began."""

_REPEATED_SECONDS = 5.0
"""How long a word is not said again that is as it was; it stands for three times as long."""


class Tally:
    """The sums of one front; *epoch* tells them apart from those of another of its name."""

    def __init__(self, front: str, region: str, epoch: str) -> None:
        self._front = front
        self._region = region
        self._epoch = epoch
        self._worker = ""
        self._seen: dict[tuple[str, str], tuple[int, int]] = {}
        self._sums: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
        self._said: dict[str, tuple[float, int, float]] = {}
        self._troubles: dict[str, FrontTrouble | None] = {}
        self._absent: dict[str, FrontTrouble] = {}
        self._absent_said = 0.0

    def take(self, worker: str, counters: Counters, layout: Layout) -> None:
        """Add what each server counted since the last time to the sums of its cluster.

        *worker* tells apart the processes that count; *layout* is by what they did.
        """
        if worker != self._worker:
            self._worker, self._seen = worker, {}
        for place, cluster in endpoints_in(layout).items():
            counted, before = counters.get(place, (0, 0)), self._seen.get(place, (0, 0))
            sums = self._sums[place[0]]
            requests, errors = sums.get(cluster, (0, 0))
            requests += max(0, counted[0] - before[0])
            errors += max(0, counted[1] - before[1])
            sums[cluster] = (requests, errors)
            self._seen[place] = counted

    def words(
        self, layout: Layout, troubles: Mapping[str, FrontTrouble], now: float
    ) -> list[TrafficWord]:
        """Return what there is to say *now*, in seconds from any start.

        *troubles*: by the key of a plan, why it is not carried as decided.
        """
        found = self._of_others(layout, troubles, now)
        for name, pool in layout.items():
            trouble = troubles.get(pool.plan.key)
            sums = self._sums.get(name, {})
            total = sum(requests for requests, _ in sums.values())
            said, before, rate = self._said.get(name, (now - _REPEATED_SECONDS, total, 0.0))
            due = now - said >= _REPEATED_SECONDS or self._troubles.get(name) != trouble
            if total == before and not rate and not due:
                continue
            rate = round((total - before) / (now - said), 3) if now > said else 0.0
            self._said[name] = (now, total, rate)
            self._troubles[name] = trouble
            counts = tuple(
                ClusterCount(cluster=cluster, requests=requests, errors=errors)
                for cluster, (requests, errors) in sorted(sums.items())
            )
            found.append(
                TrafficWord(
                    namespace=pool.plan.namespace,
                    policy=pool.plan.policy,
                    front=self._front,
                    region=self._region,
                    epoch=self._epoch,
                    rate=rate,
                    counts=counts,
                    trouble=trouble,
                )
            )
        return found

    def _of_others(
        self, layout: Layout, troubles: Mapping[str, FrontTrouble], now: float
    ) -> list[TrafficWord]:
        """Say of each plan that is not there at all why; as often as a word must be repeated."""
        there = {pool.plan.key for pool in layout.values()}
        absent = {key: one for key, one in troubles.items() if key not in there}
        if absent == self._absent and now - self._absent_said < _REPEATED_SECONDS:
            return []
        self._absent, self._absent_said = absent, now
        return [
            TrafficWord(
                namespace=key.partition("/")[0],
                policy=key.partition("/")[2],
                front=self._front,
                region=self._region,
                epoch=self._epoch,
                trouble=trouble,
            )
            for key, trouble in absent.items()
        ]
