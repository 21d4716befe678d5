"""How members are, as each observer sees it: the request `hanse.api.health` and its answer."""

import msgspec

from shared.events.cluster import Reach


class HealthRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Answered by a `FleetHealth`; without `clusters` of all of them."""

    clusters: tuple[str, ...] = ()


class SeenBy(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The last word of one observer on one member.

    `age_seconds` is by the clocks of two processes. `blind`: it sees most of the fleet gone where
    others do not, and does not count.
    """

    observer: str
    region: str = ""
    reach: Reach
    age_seconds: float
    failures: int = 0
    latency_milliseconds: int | None = None
    throttled: bool = False
    blind: bool = False
    message: str = ""


class ClusterHealth(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is made of a member: the verdict that is written, and the words behind it.

    `conditions` are those that are not as they should be: `Ready=False (Unreachable)`. `taints`
    are Hanse's own: `key:effect`.
    """

    cluster: str
    region: str = ""
    reach: Reach
    message: str = ""
    conditions: tuple[str, ...] = ()
    taints: tuple[str, ...] = ()
    observers: tuple[SeenBy, ...] = ()


class FleetHealth(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """By name. `quorum` is how many observers must agree that a member is gone."""

    clusters: tuple[ClusterHealth, ...]
    observers: tuple[str, ...] = ()
    quorum: int = 0
