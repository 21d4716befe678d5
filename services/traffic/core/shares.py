"""What part of a service's traffic each member is to take.

Where a `TrafficPolicy` speaks for the service its status says it (`deciding.py`), and every
rendering (DNS answers, backend weights, a load balancer) goes by that.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from services.traffic.core.catalogue import ImportedService, ServiceName, backends_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """Parts by cluster, each above 0, that sum to 1; empty where nobody can take any."""

    service: ServiceName
    by_cluster: Mapping[str, float]


def by_endpoints(service: ImportedService) -> Shares:
    """Where no policy says otherwise: each ready endpoint the same."""
    ready = {cluster: backends_of(one.ready) for cluster, one in service.exporters.items()}
    total = sum(ready.values())
    parts = {cluster: count / total for cluster, count in ready.items() if count}
    return Shares(service=service.service, by_cluster=parts)
