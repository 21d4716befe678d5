"""What a watch shows of objects whose orders have yet to be read."""

from datetime import timedelta

import msgspec

from services.propagator.apply.objects import Objects
from services.propagator.apply.reporting.reporter import Reporter
from services.propagator.apply.reporting.reports import Reports
from services.propagator.apply.sight import Sight
from services.propagator.core.observed import LiveObject
from shared.apimachinery.manifest import GroupVersionKind, ObjectKey
from shared.bus.memory import MemoryBus
from shared.interpreter.registry import BUILT_IN
from shared.memberapi.port import ResourceType
from tests.clocks import PatientClock

KEY = ObjectKey("apps", "deployments", "shop", "web")
DEPLOYMENTS = ResourceType(
    GroupVersionKind("apps", "v1", "Deployment"), "deployments", namespaced=True
)


def test_what_goes_before_its_order_was_read_is_doubted_and_nothing_else() -> None:
    clock, objects = PatientClock(), Objects()
    woken: list[ObjectKey] = []
    reporter = Reporter("m1", MemoryBus(), clock, timedelta(0))
    reports = Reports("m1", reporter, clock, BUILT_IN)
    sight = Sight("m1", objects, reports, wake=woken.append, hand_over=woken.append)
    tracked = objects.track(KEY)
    metadata = {"name": "web", "namespace": "shop", "uid": "u", "resourceVersion": "9"}
    live = msgspec.convert({"metadata": metadata}, LiveObject)

    sight.on_event(DEPLOYMENTS, "MODIFIED", live)
    sight.on_event(DEPLOYMENTS, "DELETED", live)

    assert tracked.doubted
    assert woken == [KEY]
