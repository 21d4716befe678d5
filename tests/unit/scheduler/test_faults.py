"""A fault of the scheduler is told of the template that brought it out, and stays a fault."""

from datetime import timedelta

import msgspec
import pytest

from services.scheduler.reconcilers.faults import ToldFaults
from shared.controller.result import Done
from shared.errors import StaleRevision
from shared.events.placement import PlacementStalled
from tests.unit.scheduler.scheduler_world import SchedulerWorld, a_deployment, key_of

WEB = a_deployment(generation=3)


class Fails:
    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)

    async def reconcile(self, _key):
        if self.errors:
            raise self.errors.pop(0)
        return Done()


@pytest.mark.parametrize("away", [False, True])
async def test_it_is_told_whether_or_not_that_can_be_told(away):
    world = SchedulerWorld()
    await world.put(WEB)
    failing = Fails(KeyError("x"), StaleRevision("later"))
    told = ToldFaults(
        failing, world.store.mirror, world.outbox, world.clock, rest=timedelta(minutes=5)
    )
    world.outbox.failing = away
    with pytest.raises(KeyError):
        await told.reconcile(key_of(WEB))
    # What is no fault is nobody's news.
    with pytest.raises(StaleRevision):
        await told.reconcile(key_of(WEB))
    assert await told.reconcile(key_of(WEB)) == Done()
    facts = [msgspec.json.decode(one.body, type=PlacementStalled) for one in world.outbox.messages]
    said = [(one.resource, one.name, one.template_generation) for one in facts]
    assert said == ([] if away else [("deployments.apps", "web", 3)])
    assert all("KeyError" in one.message and "in 5 minutes" in one.message for one in facts)
