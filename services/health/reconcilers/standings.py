"""How every joined member stands at a moment, as the brake asks for it: each read once per change.

When most of a large fleet seems gone it is asked for hundreds of times a second.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple

from services.health.core.brake import Standing
from services.health.core.taints import given_up_at
from shared.api.cluster import JOINED, Cluster
from shared.api.conditions import find_condition
from shared.api.meta import GROUP, read
from shared.apimachinery.manifest import GroupResource
from shared.errors import InvalidObject
from shared.events.cluster import Reach
from shared.store.port import Mirror, Scope, Stored

CLUSTERS = Scope.of(GroupResource(GROUP, "clusters"))


class _Known(NamedTuple):
    revision: int
    joined: bool
    region: str = ""
    given_up: datetime | None = None


class Standings:
    """Follows the mirror as it is asked."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self._known: dict[str, _Known] = {}

    def now(
        self, reach_of: Callable[[str], Reach], giving_up: Mapping[str, datetime]
    ) -> Mapping[str, Standing]:
        """Leave out who never joined: it cannot be gone. *giving_up*: what is being written."""
        known = {}
        found = {}
        for stored in self._mirror.items(CLUSTERS):
            name = stored.key.name
            one = self._known.get(name)
            if one is None or one.revision != stored.revision:
                one = _read(stored)
            known[name] = one
            if one.joined:
                found[name] = Standing(
                    reach=reach_of(name),
                    region=one.region,
                    given_up=one.given_up or giving_up.get(name),
                )
        self._known = known
        return found


def _read(stored: Stored) -> _Known:
    try:
        cluster = read(stored.manifest, Cluster)
        given_up = given_up_at(cluster.status.taints)
    except (InvalidObject, ValueError):
        return _Known(stored.revision, joined=False)
    joined = find_condition(cluster.status.conditions, JOINED)
    return _Known(
        stored.revision,
        joined is not None and joined.status == "True",
        cluster.spec.region,
        given_up,
    )
