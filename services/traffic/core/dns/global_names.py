"""Which names global zones have, from the hosts of traffic policies; and what is amiss with them.

A host belongs to the zone with the longest domain around it, and to the oldest policy that names
it. It is made anew when its zone, its policies or the standing of a cluster they lead to change.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from services.traffic.core.catalogue import ServiceName
from services.traffic.core.dns.global_zone import fixed_sets, records_by_host
from services.traffic.core.dns.hosts import ANYWHERE, SplitHost, Target, host_of, node_of
from services.traffic.core.dns.names import parse_name
from services.traffic.core.dns.networks import Networks
from services.traffic.core.dns.records import CNAME
from services.traffic.core.dns.zone import NOTHING, Node, Said
from shared.api.global_zone import FixedRecord, GlobalZone, GlobalZoneSpec
from shared.api.traffic_policy import TrafficPolicy

PolicyName = tuple[str, str]
"""Namespace and name."""

_LEADING = ("A", "AAAA", "CNAME")


@dataclass(frozen=True, slots=True)
class Amiss:
    """Why a host gets no address, or fewer than its policy says, in words for people."""

    host: str
    why: str


@dataclass(slots=True)
class _ZoneState:
    spec: GlobalZoneSpec
    regions: Networks[str]
    options: Mapping[str, tuple[int, int]]
    records: Mapping[str, tuple[FixedRecord, ...]]
    amiss: dict[str, Amiss] = field(default_factory=dict)
    hosts: set[str] = field(default_factory=set)


class GlobalNames:
    """Fed with zones, policies and clusters; hands out what the zones are to say."""

    def __init__(self) -> None:
        self._zones: dict[str, _ZoneState] = {}
        self._policies: dict[PolicyName, TrafficPolicy] = {}
        self._of_host: dict[str, set[PolicyName]] = defaultdict(set)
        self._of_cluster: dict[str, set[PolicyName]] = defaultdict(set)
        self._of_service: dict[ServiceName, set[PolicyName]] = defaultdict(set)
        self._ingress: dict[ServiceName, Mapping[str, tuple[str, ...]]] = {}
        self._lost: frozenset[str] = frozenset()
        self._due: set[str] = set()

    # What is known.

    def put_zone(self, zone: GlobalZone) -> None:
        """Take in an accepted zone, by its domain; every name in it is due.

        What it no longer says is nobody's any more: the zone that it fills is to be a new one.
        """
        spec = zone.spec
        self._zones[spec.domain] = _ZoneState(
            spec,
            Networks((text, one.region) for one in spec.regions for text in one.networks),
            {
                one.host: (
                    one.ttl_seconds or spec.ttl_seconds,
                    one.addresses_max or spec.addresses_max,
                )
                for one in spec.hosts
            },
            records_by_host(spec),
        )
        self._due.update(self._of_host, records_by_host(spec))

    def remove_zone(self, domain: str) -> None:
        """Its names go with it; those of a zone around it may say more now."""
        if self._zones.pop(domain, None) is not None:
            self._due.update(self._of_host)

    def put_policy(self, policy: TrafficPolicy) -> None:
        name = (policy.metadata.namespace, policy.metadata.name)
        self.remove_policy(name)
        self._policies[name] = policy
        for host in policy.spec.hosts:
            self._of_host[host].add(name)
            self._due.add(host)
        self._of_service[_service_of(policy)].add(name)
        for gateway in policy.spec.gateways:
            self._of_cluster[gateway.cluster].add(name)

    def remove_policy(self, name: PolicyName) -> None:
        policy = self._policies.pop(name, None)
        if policy is None:
            return
        for host in policy.spec.hosts:
            self._of_host[host].discard(name)
            self._due.add(host)
            if not self._of_host[host]:
                del self._of_host[host]
        self._of_service[_service_of(policy)].discard(name)
        for gateway in policy.spec.gateways:
            self._of_cluster[gateway.cluster].discard(name)

    def put_ingress(self, service: ServiceName, by_cluster: Mapping[str, tuple[str, ...]]) -> None:
        """Take in where load balancers of members let the world reach *service*."""
        if self._ingress.get(service, {}) == by_cluster:
            return
        if by_cluster:
            self._ingress[service] = by_cluster
        else:
            del self._ingress[service]
        self._renew(self._of_service.get(service, ()))

    def set_lost(self, clusters: Iterable[str]) -> None:
        """Say which clusters nobody is to be sent to."""
        found = frozenset(clusters)
        for cluster in found ^ self._lost:
            self._renew(self._of_cluster.get(cluster, ()))
            for service, by_cluster in self._ingress.items():
                if cluster in by_cluster:
                    self._renew(self._of_service.get(service, ()))
        self._lost = found

    def _renew(self, policies: Iterable[PolicyName]) -> None:
        for name in policies:
            self._due.update(self._policies[name].spec.hosts)

    # What follows.

    def collect(self) -> Mapping[str, Mapping[str, Said]]:
        """What has changed since the last time, by domain and by source."""
        found: dict[str, dict[str, Said]] = defaultdict(dict)
        for host in sorted(self._due):
            domain = self._domain_of(host)
            for other, state in self._zones.items():
                if other != domain and host in state.hosts:
                    state.hosts.discard(host)
                    state.amiss.pop(host, None)
                    found[other][host] = NOTHING
            if domain is not None:
                state = self._zones[domain]
                try:
                    found[domain][host] = self._say(host, state)
                except ValueError as err:
                    # One name that is none stands in nobody else's way.
                    state.hosts.discard(host)
                    state.amiss[host] = Amiss(host, str(err))
                    found[domain][host] = NOTHING
        self._due.clear()
        return found

    def amiss(self, domain: str) -> list[Amiss]:
        return [one for _, one in sorted(self._zones[domain].amiss.items())]

    def count(self, domain: str) -> int:
        """Hosts that say something."""
        return len(self._zones[domain].hosts)

    def policies_in(self, domain: str) -> list[tuple[PolicyName, str]]:
        """The policies that speak in a zone, each with its host, in order."""
        found = []
        for host in sorted(self._zones[domain].hosts):
            owner = self._owner(host, self._zones[domain].spec)
            if owner is not None:
                found.append((owner, host))
        return found

    def _domain_of(self, host: str) -> str | None:
        rest = host.removeprefix("*.")
        while rest:
            if rest in self._zones:
                return rest
            rest = rest.partition(".")[2]
        return None

    def _owner(self, host: str, spec: GlobalZoneSpec) -> PolicyName | None:
        allowed = [
            name
            for name in self._of_host.get(host, ())
            if not spec.namespaces or name[0] in spec.namespaces
        ]
        return min(allowed, key=self._age, default=None)

    def _age(self, name: PolicyName) -> tuple[str, PolicyName]:
        return self._policies[name].metadata.creation_timestamp or "", name

    def _say(self, host: str, state: _ZoneState) -> Said:
        """All that *host* says, and what is amiss with it."""
        state.amiss.pop(host, None)
        state.hosts.discard(host)
        key = parse_name(host)
        fixed = fixed_sets(state.records.get(host, ()), state.spec.ttl_seconds)
        owner = self._owner(host, state.spec)
        names = {key: fixed} if fixed else {}
        claims = self._of_host.get(host, set())
        if owner is None:
            if claims:
                where = ", ".join(sorted({name[0] for name in claims}))
                state.amiss[host] = Amiss(host, f"namespace {where} may have no names here")
            return Said(names) if names else NOTHING
        if others := sorted(claims - {owner}):
            who = ", ".join("/".join(one) for one in others)
            state.amiss[host] = Amiss(host, f"{'/'.join(owner)} has it, so {who} does not")
        if any(one.type in _LEADING for one in state.records.get(host, ())):
            why = f"spec.records say where it leads, so {'/'.join(owner)} does not"
            state.amiss[host] = Amiss(host, why)
            return Said(names)
        chosen = self._split(host, self._policies[owner], state)
        if chosen is None:
            return Said(names) if names else NOTHING
        state.hosts.add(host)
        return Said({key: {**fixed, **chosen.fixed}}, chosen={key: chosen})

    def _split(self, host: str, policy: TrafficPolicy, state: _ZoneState) -> SplitHost | None:
        ttl, most = state.options.get(host, (state.spec.ttl_seconds, state.spec.addresses_max))
        ingress = self._ingress.get(_service_of(policy), {})
        nodes = {cluster: node_of(hosts, ttl, most) for cluster, hosts in ingress.items()}
        for one in policy.spec.gateways:
            nodes[one.cluster] = node_of(map(host_of, one.addresses), ttl, most)
        aliases = sorted(one for one, node in nodes.items() if _is_no_alias(host, node, state.spec))
        for cluster in aliases:
            del nodes[cluster]
        nodes = {cluster: node for cluster, node in nodes.items() if node}
        whose = f"{policy.metadata.namespace}/{policy.metadata.name}"
        if aliases:
            why = f"it cannot be another name for where {whose} has it lead in {', '.join(aliases)}"
            state.amiss[host] = Amiss(host, f"{why}: that takes addresses")
        if not nodes and aliases:
            return None
        if not nodes:
            why = f"neither spec.gateways of {whose} nor a load balancer of its members says where"
            state.amiss[host] = Amiss(host, why)
            return None
        splits = {
            one.region: {part.name: part.share for part in one.clusters if part.share}
            for one in policy.status.splits
        }
        splits.setdefault(ANYWHERE, {} if splits else dict.fromkeys(nodes, 1))
        without = sorted({name for split in splits.values() for name in split} - nodes.keys())
        if without:
            names = ", ".join(without)
            why = f"neither spec.gateways of {whose} nor a load balancer says where in {names}"
            state.amiss.setdefault(host, Amiss(host, why))
        targets = {region: self._targets(split, nodes) for region, split in splits.items()}
        if not targets[ANYWHERE]:
            state.amiss.setdefault(host, Amiss(host, f"no cluster of {whose} takes traffic"))
            if state.spec.when_nobody_is_ready == "AnswerNothing":
                return None
            targets[ANYWHERE] = self._everything(nodes)
        # Whose region has nobody left is served from anywhere.
        targets = {region: found or targets[ANYWHERE] for region, found in targets.items()}
        sticky = policy.spec.session_affinity == "ClientIP"
        return SplitHost(targets, state.regions, sticky)

    def _targets(self, split: Mapping[str, int], nodes: Mapping[str, Node]) -> tuple[Target, ...]:
        return tuple(
            Target(cluster, share, nodes[cluster])
            for cluster, share in sorted(split.items())
            if cluster in nodes and cluster not in self._lost
        )

    def _everything(self, nodes: Mapping[str, Node]) -> tuple[Target, ...]:
        return tuple(Target(cluster, 1, node) for cluster, node in sorted(nodes.items()))


def _is_no_alias(host: str, node: Node, spec: GlobalZoneSpec) -> bool:
    """Whether *node* makes *host* another name, and it is the domain itself (RFC 1034), or that."""
    alias = node.get(CNAME)
    return alias is not None and (host == spec.domain or alias.data == (parse_name(host),))


def _service_of(policy: TrafficPolicy) -> ServiceName:
    return ServiceName(policy.metadata.namespace, policy.spec.service)
