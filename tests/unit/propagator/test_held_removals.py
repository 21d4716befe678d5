"""A removal that something holds is looked at ever more seldom, and wakes nobody."""

from datetime import timedelta

from services.propagator.apply.objects import Objects, TrackedObject
from services.propagator.apply.orders.foundations import Foundations
from services.propagator.apply.reporting.outcomes import Outcomes
from services.propagator.apply.reporting.reporter import Reporter
from services.propagator.apply.reporting.reports import Reports
from services.propagator.apply.retries import RetrySettings
from shared.apimachinery.manifest import GroupVersionKind, ObjectKey
from shared.bus.memory import MemoryBus
from shared.controller.result import Again
from shared.errors import MemberRefused
from shared.interpreter.registry import BUILT_IN
from shared.memberapi.port import ResourceType
from tests.clocks import PatientClock

SHOP = ObjectKey("", "namespaces", "", "shop")
REFUSED = ObjectKey("", "configmaps", "shop", "a")
NAMESPACES = ResourceType(GroupVersionKind("", "v1", "Namespace"), "namespaces", namespaced=False)
CONFIG_MAPS = ResourceType(GroupVersionKind("", "v1", "ConfigMap"), "configmaps", namespaced=True)
RETRIES = RetrySettings()


async def test_a_held_namespace_wakes_what_was_refused_once_it_is_gone_and_not_before() -> None:
    clock = PatientClock()
    woken: list[ObjectKey] = []
    foundations, objects = Foundations(woken.append), Objects()
    reporter = Reporter("eu-1", MemoryBus(), clock, timedelta(0))
    reports = Reports("eu-1", reporter, clock, BUILT_IN)
    outcomes = Outcomes("eu-1", objects, reports, foundations.on_settled, RETRIES)
    refused = objects.track(REFUSED)
    refused.kind = CONFIG_MAPS
    await outcomes.refused(refused, MemberRefused("no", reason="Forbidden", status=403))
    shop: TrackedObject = objects.track(SHOP)
    shop.kind, shop.deleted = NAMESPACES, True

    waits = []
    for _ in range(8):
        looked = await outcomes.underway(shop)
        assert isinstance(looked, Again)
        waits.append(looked.after)
    assert waits[:3] == [RETRIES.held, 2 * RETRIES.held, 4 * RETRIES.held]
    assert waits[-1] == RETRIES.held_max
    assert not woken

    await outcomes.removed(shop)
    assert woken == [REFUSED]
