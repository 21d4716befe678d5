"""By whose addresses a service is reached: those of clusters that have a share of its traffic.

What a TrafficPolicy decided is in its status. An Ingress or a Service at the hub shows addresses
that members gave it, and who reads them (external-dns, people) is to be led where traffic goes.
"""

from collections.abc import Iterable, Mapping, Sequence

from shared.api.binding import ClusterReport
from shared.api.traffic_policy import TrafficPolicy
from shared.apimachinery.manifest import Manifest, name_of

SHOWN = frozenset({("networking.k8s.io", "ingresses"), ("", "services")})
"""Group and resource of what shows addresses of members."""

Takers = Mapping[str, frozenset[str]]
"""By service, the clusters that have a share of its traffic, whatever region it comes from."""


def takers_of(policies: Iterable[TrafficPolicy]) -> Takers:
    """Leave out services of which nobody decided, or of which nobody can take any traffic."""
    found: dict[str, frozenset[str]] = {}
    for policy in policies:
        names = frozenset(
            share.name for split in policy.status.splits for share in split.clusters if share.share
        )
        if names:
            service = policy.spec.service
            found[service] = found.get(service, frozenset()) | names
    return found


def services_behind(manifest: Manifest) -> frozenset[str]:
    """The Services that an Ingress leads to; a Service is its own."""
    if manifest.get("kind") != "Ingress":
        return frozenset({name_of(manifest)})
    spec = _map(manifest.get("spec"))
    backends = [spec.get("defaultBackend")]
    for rule in _list(spec.get("rules")):
        paths = _list(_map(_map(rule).get("http")).get("paths"))
        backends += [_map(path).get("backend") for path in paths]
    names = (_map(_map(one).get("service")).get("name") for one in backends)
    return frozenset(str(one) for one in names if one)


def idle(manifest: Manifest, reports: Sequence[ClusterReport], takers: Takers) -> frozenset[str]:
    """Name the clusters whose addresses are left out.

    None where some of the services has no decision, for then any cluster may be meant; and none
    where no address would be left: an address that may not work is better than no address.
    """
    behind = services_behind(manifest)
    if not behind or not behind <= takers.keys():
        return frozenset()
    taking = frozenset[str]().union(*(takers[one] for one in behind))
    addressed = {
        one.cluster for one in reports if _map(one.status.get("loadBalancer")).get("ingress")
    }
    return frozenset(addressed - taking) if addressed & taking else frozenset()


def _map(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else ()
