"""The endpoint `services` of the micro service `hanse`: who exports what, and who gets how much."""

import asyncio
from collections.abc import Iterable

import msgspec

from services.traffic.core.catalogue import ServiceName, backends_of
from services.traffic.core.orders import owner_of
from services.traffic.core.shares import by_endpoints
from services.traffic.core.telling import conditions_in
from services.traffic.reconcilers.knowledge import Knowledge
from shared.api.meta import GROUP, read
from shared.api.multicluster import CLUSTER_PROFILES
from shared.api.traffic_policy import SHIFTED, TRAFFIC_POLICIES, TrafficPolicy
from shared.apiserver.answers.requests import answering, read_request
from shared.bus.port import Bus
from shared.errors import InvalidObject
from shared.events.requests import API_SERVICES, SERVICE, VERSION
from shared.events.services import (
    ExporterView,
    ServicesOverview,
    ServicesRequest,
    ServiceView,
)
from shared.store.port import Mirror, Scope

_encode = msgspec.json.Encoder().encode
_PROFILES = Scope.of(CLUSTER_PROFILES)
_PARTS = 10_000
_HEALTH = "ControlPlaneHealthy"


class OverviewDoor:
    """Answers from what every process of traffic knows, once it is complete."""

    def __init__(self, bus: Bus, mirror: Mirror, known: Knowledge) -> None:
        self._bus = bus
        self._mirror = mirror
        self._known = known

    async def run(self) -> None:
        """Offer the endpoint until cancelled."""
        await self._known.catalogue.synced.wait()
        async with self._bus.serve(SERVICE, VERSION, {API_SERVICES: answering(self._answer)}):
            await asyncio.Event().wait()

    async def _answer(self, body: bytes) -> bytes:
        asked = read_request(body, ServicesRequest)
        names = sorted(
            name
            for name in self._known.exports.known()
            if asked.namespace in ("", name.namespace) and asked.name in ("", name.name)
        )
        policies = self._policies()
        services: list[ServiceView] = []
        amiss: list[str] = []
        for name in names:
            with self._known.guard.taking("overview", name, amiss.append):
                services.append(self._view(name, policies.get(name)))
        warnings = (*amiss, *self._warnings())
        return _encode(ServicesOverview(services=tuple(services), warnings=warnings))

    def _policies(self) -> dict[ServiceName, TrafficPolicy]:
        """The oldest of each service, which is the one that speaks for it."""
        found: dict[ServiceName, TrafficPolicy] = {}
        for stored in self._mirror.items(Scope(GROUP, TRAFFIC_POLICIES)):
            try:
                policy = read(stored.manifest, TrafficPolicy)
            except InvalidObject:
                continue
            name = ServiceName(stored.key.namespace, policy.spec.service)
            if name not in found or _age(policy) < _age(found[name]):
                found[name] = policy
        return found

    def _view(self, name: ServiceName, policy: TrafficPolicy | None) -> ServiceView:
        table = self._known.table
        folded, hub = table.fold(name), table.hub_export(name)
        service = folded.service
        now = by_endpoints(service).by_cluster if service is not None else {}
        said = _policy_shares(policy) if policy is not None else {}
        idle = _idle_by(policy) if policy is not None else {}
        exporters = []
        for cluster, validity in sorted(folded.validity.items()):
            report = table.reports[name][cluster]
            own = service.exporters.get(cluster) if service is not None else None
            since = report.export.since if report.export is not None else hub.since if hub else ""
            exporters.append(
                ExporterView(
                    cluster=cluster,
                    by_hub=report.export is None,
                    since=since,
                    reachable=table.fleet[cluster].reachable,
                    endpoints=backends_of(own.endpoints) if own is not None else 0,
                    ready=backends_of(own.ready) if own is not None else 0,
                    share=now.get(cluster, 0.0),
                    policy_share=said.get(cluster, 0.0) if policy is not None else None,
                    reason=validity.reason,
                    message="" if validity.is_valid else validity.message,
                    idle=idle.get(cluster, ""),
                )
            )
        settled = folded.settled
        owned = self._known.orders.of(owner_of(name))
        troubles = self._known.orders.troubles
        return ServiceView(
            namespace=name.namespace,
            name=name.name,
            type=service.type if service is not None else "",
            ports=tuple(
                f"{port.name + ':' if port.name else ''}{port.port}/{port.protocol}"
                for port in (service.ports if service is not None else ())
            ),
            exporters=tuple(exporters),
            importers=tuple(sorted(table.members_with(name.namespace))) if service else (),
            policy=policy.metadata.name if policy is not None else "",
            conflicts=tuple(one.message for one in settled.conflicts) if settled else (),
            troubles=tuple(
                f"{cluster}: {key.resource} {key.name}: {troubles[cluster, key]}"
                for cluster, key in sorted(owned)
                if (cluster, key) in troubles
            )
            + tuple(_amiss_with(policy) if policy is not None else ()),
        )

    def _warnings(self) -> Iterable[str]:
        """What profiles of members say to be wrong with their networks."""
        for stored in sorted(self._mirror.items(_PROFILES), key=lambda one: one.key):
            for one in conditions_in(stored.manifest.get("status") or {}):
                if one.status == "False" and one.type != _HEALTH:
                    yield f"{stored.key.name}: {one.message}"


def _age(policy: TrafficPolicy) -> tuple[str, str]:
    return policy.metadata.creation_timestamp or "", policy.metadata.name


def _policy_shares(policy: TrafficPolicy) -> dict[str, float]:
    """Those of traffic from anywhere, or from the first region there is."""
    splits = sorted(policy.status.splits, key=lambda one: one.region)
    if not splits:
        return {}
    return {one.name: one.share / _PARTS for one in splits[0].clusters}


def _idle_by(policy: TrafficPolicy) -> dict[str, str]:
    """Why clusters have no share of any traffic."""
    taking = {one.name for split in policy.status.splits for one in split.clusters if one.share}
    return {
        one.name: one.message
        for split in policy.status.splits[:1]
        for one in split.clusters
        if one.name not in taking
    }


def _amiss_with(policy: TrafficPolicy) -> Iterable[str]:
    """What the policy says of itself that is not as it should be; a shift under way is."""
    for one in policy.status.conditions:
        if one.status == "False" and one.type != SHIFTED:
            yield f"policy {policy.metadata.name}: {one.message or one.reason}"
