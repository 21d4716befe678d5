"""Services of the whole fleet: the request `hanse.api.services` and its answer."""

import msgspec


class ServicesRequest(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True
):
    """Answered by a `ServicesOverview`; without `namespace` and `name` of all of them."""

    namespace: str = ""
    name: str = ""


class ExporterView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One member that exports a service, or would.

    `share` is its part of the traffic by ready endpoints, `policy_share` by a TrafficPolicy; None
    where there is none. `reason` is that of its condition Valid; `conflicts` concern all exports.
    `idle`: why the policy gives it nothing.
    """

    cluster: str
    by_hub: bool = False
    since: str = ""
    reachable: bool = True
    endpoints: int = 0
    ready: int = 0
    share: float = 0.0
    policy_share: float | None = None
    reason: str = ""
    message: str = ""
    idle: str = ""


class ServiceView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`importers` have the namespace; `troubles` is what they, and its policy, say against it."""

    namespace: str
    name: str
    type: str = ""
    ports: tuple[str, ...] = ()
    exporters: tuple[ExporterView, ...] = ()
    importers: tuple[str, ...] = ()
    policy: str = ""
    conflicts: tuple[str, ...] = ()
    troubles: tuple[str, ...] = ()


class ServicesOverview(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`warnings` are what is known to be in the way of traffic between members."""

    services: tuple[ServiceView, ...] = ()
    warnings: tuple[str, ...] = ()
