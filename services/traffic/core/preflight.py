"""Whether traffic between members can work at all: what is known of it, in plain words (pure).

What an administrator declared of networks, and what members' endpoints give away. Nothing here
stops anything: a wrong word must not take a service away.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_network

from shared.api.cluster import ClusterNetwork
from shared.api.meta import Condition
from shared.events.exports import ServiceReport

REACHABLE = "EndpointsReachable"
DISTINCT = "PodRangesDistinct"
NAMES = "NamesForwarded"

_SHOWN_MAX = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """An address that is an endpoint in two members."""

    address: str
    other: str


def shared_addresses(
    reports: Iterable[Mapping[str, ServiceReport]],
) -> dict[str, tuple[Shared, ...]]:
    """By member, endpoints whose address is one of another member too; a few of them."""
    owner: dict[str, set[str]] = {}
    for by_cluster in reports:
        for cluster, report in by_cluster.items():
            for one in report.slices:
                for endpoint in one.endpoints:
                    for address in endpoint.addresses:
                        owner.setdefault(address, set()).add(cluster)
    found: dict[str, list[Shared]] = {}
    for address, clusters in sorted(owner.items()):
        if len(clusters) < len(("one", "other")):
            continue
        for cluster in clusters:
            told = found.setdefault(cluster, [])
            others = sorted(clusters - {cluster})
            if len(told) < _SHOWN_MAX:
                told.append(Shared(address=address, other=others[0]))
    return {cluster: tuple(told) for cluster, told in found.items()}


def network_conditions(
    cluster: str,
    networks: Mapping[str, ClusterNetwork | None],
    shared: Iterable[Shared],
    names: str,
    tried: Mapping[str, str],
) -> tuple[Condition, ...]:
    """What is to be said of *cluster* among all members, those of *networks*.

    *tried*: from which members an endpoint of it was tried, and why in vain; empty: not in vain.
    """
    return (
        _tried(tried) or _reachable(cluster, networks),
        _distinct(cluster, networks, tuple(shared)),
        _names(names),
    )


def _tried(tried: Mapping[str, str]) -> Condition | None:
    """What was tried outweighs what was declared."""
    if not tried:
        return None
    vain = [f"from {prober} {why}" for prober, why in sorted(tried.items()) if why]
    if vain:
        message = f"its endpoints were tried in vain: {_few(vain)}"
        return Condition(type=REACHABLE, status="False", reason="NoAnswer", message=message)
    message = f"its endpoints answer to {_few(sorted(tried))}"
    return Condition(type=REACHABLE, status="True", reason="Answered", message=message)


def _reachable(cluster: str, networks: Mapping[str, ClusterNetwork | None]) -> Condition:
    own = networks.get(cluster)
    if own is None or not own.name:
        return Condition(
            type=REACHABLE,
            status="Unknown",
            reason="NotDeclared",
            message="spec.network.name of its Cluster is empty: whether other members reach its"
            " pods is not known",
        )
    away = sorted(
        name
        for name, other in networks.items()
        if name != cluster and other is not None and other.name and other.name != own.name
    )
    if not away:
        message = f"members of the network {own.name} reach its pods by their addresses"
        return Condition(type=REACHABLE, status="True", reason="OneNetwork", message=message)
    if own.gateway:
        message = f"members of other networks reach its pods through {own.gateway}"
        return Condition(type=REACHABLE, status="True", reason="ThroughGateway", message=message)
    message = (
        f"its pods are on the network {own.name} and it declares no gateway (spec.network.gateway):"
        f" {_few(away)} cannot reach them"
    )
    return Condition(type=REACHABLE, status="False", reason="NoGateway", message=message)


def _distinct(
    cluster: str, networks: Mapping[str, ClusterNetwork | None], shared: tuple[Shared, ...]
) -> Condition:
    own = networks.get(cluster)
    near = {
        name: other
        for name, other in networks.items()
        if name != cluster and not _apart(own, other)
    }
    seen = [one for one in shared if one.other in near]
    if seen:
        told = _few([f"{one.address} in {one.other}" for one in seen])
        return Condition(
            type=DISTINCT,
            status="False",
            reason="AddressesShared",
            message=f"endpoints here have addresses that are endpoints elsewhere too: {told}",
        )
    overlaps = [
        f"{mine} and {theirs} of {name}"
        for name, other in sorted(near.items())
        for mine in (own.pod_ranges if own is not None else ())
        for theirs in (other.pod_ranges if other is not None else ())
        if _overlap(mine, theirs)
    ]
    if overlaps:
        message = f"ranges of pods overlap: {_few(overlaps)}"
        return Condition(type=DISTINCT, status="False", reason="RangesOverlap", message=message)
    if own is None or not own.pod_ranges:
        message = "spec.network.podRanges of its Cluster is empty, and no address is there twice"
        return Condition(type=DISTINCT, status="Unknown", reason="NotDeclared", message=message)
    message = "no other member that reaches its pods has one of their addresses"
    return Condition(type=DISTINCT, status="True", reason="Distinct", message=message)


def _apart(one: ClusterNetwork | None, other: ClusterNetwork | None) -> bool:
    """Whether two members are known to be on different networks."""
    names = {network.name for network in (one, other) if network is not None and network.name}
    return len(names) > 1


def _overlap(one: str, other: str) -> bool:
    try:
        mine, theirs = ip_network(one), ip_network(other)
    except ValueError:
        return False
    return mine.version == theirs.version and mine.overlaps(theirs)


_LACKS_STUB = (
    "its CoreDNS knows nothing of clusterset.local, so its pods find no imported service by name:"
    " `hanse dns stub` prints the lines it lacks"
)
_NO_COREDNS = (
    "it has no ConfigMap kube-system/coredns: whether its DNS knows clusterset.local is not known"
)
_SAID_OF_NAMES = {
    "Forwarded": ("True", "its CoreDNS asks for names of clusterset.local elsewhere"),
    "NotForwarded": ("False", _LACKS_STUB),
    "NoCoreDNS": ("Unknown", _NO_COREDNS),
}


def _names(found: str) -> Condition:
    status, message = _SAID_OF_NAMES.get(found, ("Unknown", "nobody could look yet"))
    reason = found if found in _SAID_OF_NAMES else "NotSeen"
    return Condition(type=NAMES, status=status, reason=reason, message=message)


def _few(names: list[str]) -> str:
    more = len(names) - _SHOWN_MAX
    return ", ".join(names[:_SHOWN_MAX]) + (f" and {more} more" if more > 0 else "")
