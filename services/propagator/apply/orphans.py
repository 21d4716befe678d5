"""What this hub left in a member by `--cascade=orphan`, and takes back when it is ordered again."""

from collections.abc import Callable

import structlog

from services.propagator.apply.objects import TrackedObject
from services.propagator.core.orphans import orphaned, taken_back
from shared.apimachinery.manifest import Manifest
from shared.clock import Clock, format_time
from shared.memberapi.port import MemberApi
from shared.memberapi.request import ADOPTION_MANAGER

log = structlog.get_logger("hanse.propagator")


class Orphans:
    """Of one member."""

    def __init__(
        self, cluster: str, api: MemberApi, clock: Clock, membership: Callable[[], str]
    ) -> None:
        """*membership* tells the uid of the Cluster, empty while there is none."""
        self._cluster = cluster
        self._api = api
        self._clock = clock
        self._membership = membership

    def left(self, live: Manifest) -> Manifest:
        """The merge patch that leaves *live* there, to be known again."""
        at = format_time(self._clock.now())
        return orphaned(live, at=at, membership=self._membership())

    async def take_back(self, tracked: TrackedObject, live: Manifest) -> bool:
        """Make *live* Hanse's again, if it is as it was left; raises where it has just changed."""
        patch = taken_back(live, self._membership())
        if patch is None:
            return False
        kind, key = tracked.kind, tracked.key
        assert kind is not None
        await self._api.merge(kind, key.namespace, key.name, patch, manager=ADOPTION_MANAGER)
        log.info("object.taken-back", cluster=self._cluster, key=str(key))
        return True
