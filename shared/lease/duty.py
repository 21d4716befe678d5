"""What a service does by a lease: several tasks, begun anew with every term.

Each term begins as a process does: nothing is remembered of the last one but what followers keep
current, and everything there is is looked at once. So handing over needs no rule of its own.
"""

import asyncio
from collections.abc import Callable, Mapping

from shared.api.meta import GROUP
from shared.apimachinery.manifest import GroupResource
from shared.clock import Clock
from shared.errors import RetryableError
from shared.lease.lease import Lease, Work
from shared.store.port import ObjectStore, Scope

_CLUSTERS = Scope.of(GroupResource(GROUP, "clusters"))
_RETRY_SECONDS = 0.25


def held(
    lease: Lease, store: ObjectStore, clock: Clock, begin: Callable[[], Mapping[str, Work]]
) -> Work:
    """A task that runs those of *begin* while the process holds *lease*.

    They begin when the mirror of *store* has reached what the last holder may have acted upon: from
    an older view they would order what has been said before.
    """

    async def work() -> None:
        await _catch_up(store, clock)
        async with asyncio.TaskGroup() as tasks:
            for name, run in begin().items():
                tasks.create_task(run(), name=name)

    async def run() -> None:
        await lease.run(work)

    return run


async def _catch_up(store: ObjectStore, clock: Clock) -> None:
    while True:
        try:
            # A list is as new as the store is; of what does not matter.
            await store.list(_CLUSTERS)
        except RetryableError:
            await clock.sleep(_RETRY_SECONDS)
        else:
            return
