"""Terms as long as a field can hold are for ever, or as good as that."""

from datetime import UTC, datetime, timedelta

import pytest

from services.scheduler.core.change.rebalancing import time_to_live
from services.scheduler.core.circumstances import threshold_of
from shared.api.cluster import Taint
from shared.api.placement import Toleration
from shared.api.rebalancer import WorkloadRebalancer, WorkloadRebalancerSpec
from shared.api.rescheduling import AutoMigration, AutoMigrationTrigger
from shared.apimachinery.taints import time_left

NOW = datetime(2026, 3, 1, tzinfo=UTC)
LONG = timedelta(days=10_000)


@pytest.mark.parametrize("seconds", [10**10, 10**12, 2**63 - 1])
def test_no_term_is_too_long_to_be_waited_for(seconds):
    taint = Taint(key="x", effect="NoExecute", time_added="2026-03-01T00:00:00Z")
    borne = Toleration(operator="Exists", effect="NoExecute", toleration_seconds=seconds)
    assert time_left(taint, [borne], NOW) > LONG
    spec = WorkloadRebalancerSpec(workloads=(), ttl_seconds_after_finished=seconds)
    assert time_to_live(WorkloadRebalancer(spec=spec), "2026-03-01T00:00:00Z", NOW) > LONG
    when = AutoMigrationTrigger(pod_unschedulable_for=f"{seconds}s")
    assert NOW + threshold_of(AutoMigration(when=when)) > NOW
