"""Namespaces that nothing here needs, and that another dispatcher ordered: borne for a while.

One that is killed, or loses its lease, may have ordered a namespace for a work that it did not come
to order, or whose order is still on its way. Its successor looks at the namespace before the work
as often as after: it would have the member empty the namespace, and make it again.
"""

import asyncio
from collections.abc import Collection, Mapping
from datetime import timedelta

from services.propagator.core.works import Held

LINGER = timedelta(seconds=12)
"""Longer than a publication may wait for its answer."""


class UnneededNamespaces:
    """Since when each has been of no use, by the order that asks for it."""

    def __init__(self) -> None:
        self._since: dict[tuple[str, str], tuple[int, float]] = {}

    def bear(
        self, name: str, held: Mapping[str, Held], needed: Collection[str]
    ) -> dict[str, timedelta]:
        """Return the clusters where namespace *name* stays for now, and for how long.

        *held*: what each cluster is told of it; *needed*: where it is of use.
        """
        now, left = asyncio.get_running_loop().time(), {}
        for cluster, order in held.items():
            if cluster in needed or order.deleted or order.ours:
                self._since.pop((name, cluster), None)
                continue
            sequence, since = self._since.get((name, cluster), (0, now))
            if sequence != order.sequence:
                since = now
            self._since[name, cluster] = order.sequence, since
            rest = since + LINGER.total_seconds() - now
            if rest > 0:
                left[cluster] = timedelta(seconds=rest)
        return left
