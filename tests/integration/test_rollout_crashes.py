"""Dispatch that dies after every few writes: whoever comes next goes on, and passes no gate."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, cast

import pytest

from services.health.service import assemble as assemble_health
from services.health.settings import Settings as HealthSettings
from services.propagator.dispatch.dispatcher import Dispatcher
from shared.api.meta import GROUP, read
from shared.api.rollout import ResourceRollout, RolloutStatus
from shared.apimachinery.manifest import ObjectKey, copy
from shared.bus.port import Bus, Message
from shared.clock import SystemClock
from shared.controller.loop import LoopSettings
from shared.errors import StaleRevision
from shared.events import subjects
from shared.memberapi.http import open_member
from shared.runtime.probes import Readiness
from shared.store.port import ObjectStore
from tests.federation import SEALING, Federation, config_map, eventually, running

# A namespace that is there: to make one takes writes of its own.
A = ObjectKey("", "configmaps", "default", "a")
ROLLOUT = ObjectKey(GROUP, "resourcerollouts", "default", "a-configmap")
STAGES = {
    "stages": [
        {"name": "canary", "clusterAffinity": {"clusterNames": ["eu-1"]}},
        {"name": "rest", "approval": "Required"},
    ]
}
HEALTH = HealthSettings(
    probe_interval=timedelta(milliseconds=100),
    fold_delay=timedelta(milliseconds=5),
    fold_interval=timedelta(milliseconds=5),
)


class Killed(Exception):
    """The process is gone; what it wrote last has happened."""


class Mortal:
    """A port of which some calls are counted: after so many the caller dies."""

    def __init__(self, port: Any, life: list[int], *names: str) -> None:
        self._port = port
        self._life = life
        self._names = names

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        return self._counted(found) if name in self._names else found

    def _counted(self, call: Any) -> Any:
        async def counted(*arguments: Any, **options: Any) -> Any:
            answer = await call(*arguments, **options)
            about = arguments[0]
            if not isinstance(about, Message) or about.subject.startswith(subjects.WORK):
                self._life[0] -= 1
                if self._life[0] <= 0:
                    raise Killed
            return answer

        return counted


class Story:
    """What a user does and sees, whoever dispatches meanwhile."""

    def __init__(self, federation: Federation) -> None:
        self.federation = federation

    def status(self) -> RolloutStatus:
        stored = self.federation.store.mirror.get(ROLLOUT)
        return read(stored.manifest, ResourceRollout).status if stored else RolloutStatus()

    def holds(self, cluster: str) -> str:
        found = self.federation.members[cluster].get("configmaps", "a", "default")
        return str(found["data"]["a"]) if found else ""

    async def change(self, number: int) -> None:
        manifest = config_map("a", f"v{number}", generation=number)
        manifest["metadata"]["namespace"] = "default"
        await self.federation.write(A, manifest)
        await self.federation.bind(A, {"eu-1": None, "us-1": None}, rollout=STAGES)

    async def reaches(self, phase: str, number: int) -> None:
        await eventually(
            lambda: (self.status().phase, self.status().target_revision) == (phase, number), 60
        )

    async def approve(self, number: int) -> None:
        while True:
            stored = await self.federation.store.get(ROLLOUT)
            assert stored is not None
            manifest = copy(stored.manifest)
            manifest["spec"] = {"approvals": [{"revision": number, "stage": "rest"}]}
            manifest["metadata"]["generation"] += 1
            try:
                await self.federation.store.update(ROLLOUT, manifest, expected=stored.revision)
            except StaleRevision:
                continue
            return

    async def live(self) -> None:
        for number, before in ((1, ""), (2, "v1"), (3, "v2")):
            await self.change(number)
            await self.reaches("WaitingForApproval", number)
            await eventually(lambda number=number: self.holds("eu-1") == f"v{number}")
            assert self.holds("us-1") == before, "nobody approved"
            await self.approve(number)
            await self.reaches("Complete", number)
            await eventually(lambda number=number: self.holds("us-1") == f"v{number}")


async def dispatch_and_die(federation: Federation, writes: int) -> None:
    """One dispatcher after another, each of which dies after so many writes."""
    while True:
        life = [writes]
        dispatcher = Dispatcher(
            cast("ObjectStore", Mortal(federation.store, life, "create", "update", "delete")),
            cast("Bus", Mortal(federation.bus, life, "publish", "purge")),
            SystemClock(),
            LoopSettings(workers=4, fail_fast=True),
        )
        tasks = [asyncio.create_task(task()) for task in (dispatcher.log.run, dispatcher.run)]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        for error in ended:
            assert isinstance(error, BaseException)
            assert _is_a_death(error), error


def _is_a_death(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(_is_a_death(one) for one in error.exceptions)
    return isinstance(error, Killed | asyncio.CancelledError)


@asynccontextmanager
async def federated() -> AsyncIterator[Federation]:
    """Two members whose reports are folded; nobody dispatches yet."""
    federation = Federation(["eu-1", "us-1"])
    health = assemble_health(
        HEALTH,
        federation.store,
        federation.bus,
        clock=SystemClock(),
        key=SEALING,
        connect=lambda name, credentials: open_member(credentials, name=name),
        readiness=Readiness(),
    )
    async with federation.serving(), federation.applying(), running(*health.values()):
        yield federation


@pytest.mark.parametrize("writes", [1, 2, 3, 7])
async def test_a_rollout_survives_dispatchers_that_live_for_a_few_writes(writes: int) -> None:
    async with federated() as federation:
        dispatching = asyncio.create_task(dispatch_and_die(federation, writes))
        story = asyncio.create_task(Story(federation).live())
        try:
            await asyncio.wait([dispatching, story], return_when=asyncio.FIRST_COMPLETED)
            assert story.done(), dispatching.exception()
            await story
        finally:
            dispatching.cancel()
            story.cancel()
            await asyncio.gather(dispatching, story, return_exceptions=True)
