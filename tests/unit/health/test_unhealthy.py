"""Since when an object is not healthy where it is."""

import msgspec

from services.health.core.fold import Folded
from services.health.core.unhealthy import with_unhealthy
from shared.api.binding import BindingStatus, ClusterReport, Health, ResourceBinding, TargetCluster
from shared.api.failover import ApplicationFailover, Failover
from tests.unit.health.test_fold import a_binding

NOW, BEFORE = "2026-01-01T12:00:00Z", "2026-01-01T11:00:00Z"


def since(health: Health, before: str = "", *, watched: bool = True) -> str:
    binding = a_binding(TargetCluster(name="a"))
    failover = Failover(application=ApplicationFailover() if watched else None)
    told = BindingStatus(
        aggregated_status=(ClusterReport(cluster="a", unhealthy_since=before),) if before else ()
    )
    bound: ResourceBinding = msgspec.structs.replace(
        binding, spec=msgspec.structs.replace(binding.spec, failover=failover), status=told
    )
    report = ClusterReport(cluster="a", health=health)
    folded = Folded(reports=(report,), leaving=frozenset(), silent=frozenset())
    return with_unhealthy(folded, bound, now=NOW).reports[0].unhealthy_since


def test_the_time_begins_when_it_is_first_not_healthy_and_goes_on() -> None:
    assert since("Degraded") == NOW
    assert since("Progressing") == NOW
    assert since("Degraded", BEFORE) == BEFORE


def test_being_well_or_unheard_of_ends_it() -> None:
    assert since("Healthy", BEFORE) == ""
    assert since("Unknown", BEFORE) == ""


def test_nothing_is_noted_where_no_policy_asks() -> None:
    assert since("Degraded", watched=False) == ""
