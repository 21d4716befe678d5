"""What is left of a deleted template goes for the next one, and nothing newer goes with it."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from services.propagator.apply.holding.formers import Formers
from services.propagator.apply.objects import TrackedObject
from services.propagator.apply.reporting.reporter import Reporter
from services.propagator.apply.reporting.reports import Reports
from services.propagator.core.works import make_order
from shared.api.binding import BindingSpec, ObjectReference
from shared.apimachinery.manifest import GroupVersionKind, Manifest, ObjectKey, encode
from shared.bus.memory import MemoryBus
from shared.errors import StaleRevision
from shared.events.orders import MANAGED_LABEL, TEMPLATE_UID, WORK_GENERATION
from shared.interpreter.registry import BUILT_IN
from shared.memberapi.http import HttpMemberApi, open_member
from shared.memberapi.port import ResourceType
from tests.clocks import PatientClock
from tests.federation import TestMember

JOBS = ResourceType(GroupVersionKind("batch", "v1", "Job"), "jobs", namespaced=True)
KEY = ObjectKey("batch", "jobs", "default", "once")


@pytest.fixture
async def api() -> AsyncIterator[HttpMemberApi]:
    member = TestMember("eu-1")
    async with member.serve(), open_member(member.credentials(), name="worker") as api:
        yield api


def a_job(uid: str, generation: int) -> Manifest:
    container = {"name": "main", "image": "busybox:1"}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": KEY.name,
            "namespace": KEY.namespace,
            "labels": {MANAGED_LABEL: "true"},
            "annotations": {TEMPLATE_UID: uid, WORK_GENERATION: str(generation)},
        },
        "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [container]}}},
    }


async def gives_way(api: HttpMemberApi, live: Manifest, *, sequence: int) -> bool:
    """Whether *live* does for an order of template `second`, which has that *sequence*."""
    await api.apply(JOBS, KEY.namespace, KEY.name, encode(live))
    resource = ObjectReference(
        api_version="batch/v1",
        kind="Job",
        resource="jobs",
        namespace=KEY.namespace,
        name=KEY.name,
        uid="second",
        generation=1,
    )
    spec = BindingSpec(resource=resource, former_template="Delete")
    order = make_order(KEY, a_job("second", 0), spec, api_version="batch/v1", kind="Job").order
    reporter = Reporter("eu-1", MemoryBus(), PatientClock(), timedelta(0))
    formers = Formers(api, Reports("eu-1", reporter, PatientClock(), BUILT_IN))
    return await formers.is_first(TrackedObject(KEY, sequence=sequence, kind=JOBS), order)


async def test_a_former_run_ends_before_the_next_begins(api: HttpMemberApi) -> None:
    assert await gives_way(api, a_job("first", 5), sequence=7)
    assert await api.get(JOBS, KEY.namespace, KEY.name) is None


async def test_a_late_worker_does_not_end_the_run_of_a_newer_order(api: HttpMemberApi) -> None:
    """Another worker has carried out a third template's by then."""
    with pytest.raises(StaleRevision):
        await gives_way(api, a_job("third", 9), sequence=7)
    assert await api.get(JOBS, KEY.namespace, KEY.name) is not None
