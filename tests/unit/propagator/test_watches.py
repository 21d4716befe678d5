"""A watch that waits for a member which is away begins again when the member answers others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from services.propagator.apply.gate import MemberGate
from services.propagator.apply.retries import RetrySettings
from services.propagator.apply.watches import KindWatch, begin
from services.propagator.core.observed import LiveObject, read_live
from shared.apimachinery.manifest import GroupVersionKind
from shared.clock import SystemClock
from shared.errors import MemberUnreachable
from shared.memberapi.port import MemberEvent, MemberListing, ResourceType

CONFIG_MAPS = ResourceType(GroupVersionKind("", "v1", "ConfigMap"), "configmaps", namespaced=True)


class Member:
    """As much of a `MemberApi` as a watch calls."""

    def __init__(self) -> None:
        self.away = True
        self.asked = 0

    async def list(self, _kind: ResourceType, **_options: Any) -> MemberListing:
        self.asked += 1
        if self.away:
            raise MemberUnreachable("no answer")
        return MemberListing((), "1")

    @asynccontextmanager
    async def watch(
        self, _kind: ResourceType, **_options: Any
    ) -> AsyncIterator[AsyncIterator[MemberEvent]]:
        async def nothing() -> AsyncIterator[MemberEvent]:
            await asyncio.Event().wait()
            yield MemberEvent("BOOKMARK", b"{}")

        yield nothing()


class Nobody:
    def on_listing(self, kind: ResourceType, listing: MemberListing) -> None:
        pass

    def on_event(self, kind: ResourceType, event: str, live: LiveObject) -> None:
        pass


async def test_it_does_not_wait_its_time_once_the_member_answers_others() -> None:
    member = Member()
    watch = KindWatch("m1", member, CONFIG_MAPS, Nobody(), selector="", read=read_live)
    running = asyncio.create_task(watch.run())
    while member.asked < 3:
        await asyncio.sleep(0.01)
    member.away = False
    watch.look_soon()
    # Much less than the pause that it began.
    for _ in range(10):
        await asyncio.sleep(0)
    assert watch.synced
    running.cancel()


async def test_who_waits_is_told_once_when_a_silent_member_answers() -> None:
    gate, told = MemberGate("m1", SystemClock(), 4, RetrySettings()), []
    gate.opened = lambda: told.append(True)
    gate.succeeded(gate.enter())
    assert told == []
    gate.failed(MemberUnreachable("no answer"))
    gate.succeeded(gate.enter())
    gate.succeeded(gate.enter())
    assert told == [True]


async def test_whoever_begins_a_watch_while_the_worker_ends_is_ended_with_it() -> None:
    async def watch() -> None:
        await asyncio.sleep(0)

    async def works() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            with pytest.raises(asyncio.CancelledError):
                begin(group, watch(), name="late")

    async def end() -> None:
        async with group:
            group.create_task(works())
            await asyncio.sleep(0)
            raise ValueError

    group = asyncio.TaskGroup()
    with pytest.raises(ExceptionGroup):
        await end()
