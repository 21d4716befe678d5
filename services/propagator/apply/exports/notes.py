"""The status that ServiceExports and ServiceImports of a member are to show, put there.

Nobody else writes it: traffic, which knows it, reaches members by their workers only. Whether the
object is there is known from what is watched of it anyway, so a status costs one request, and none
where it is shown already. One that is not there, or is another of that name, is waited for; after
a while the member is asked, for another worker may have put it there.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog

from shared.apimachinery.manifest import GroupVersionKind, ObjectKey, metadata_of, uid_of
from shared.bus.port import Bus, CaughtUp, Message
from shared.bus.topology import ENDPOINTS
from shared.controller.loop import Controller, LoopSettings
from shared.controller.result import Again, Done, Result
from shared.errors import MalformedEvent, MemberRefused
from shared.events import subjects
from shared.events.exports import StatusNote, decode_note
from shared.events.orders import TEMPLATE_UID
from shared.events.work import BY_TRAFFIC
from shared.interpreter.reflect import reflect_any
from shared.memberapi.port import MemberApi, ResourceType

log = structlog.get_logger("hanse.propagator")

_AGAIN_FIRST = 0.2
_AGAIN_MAX = 30.0
_PATIENCE = 6.0
_SETTINGS = LoopSettings(workers=8)


@dataclass(frozen=True, slots=True)
class Shown:
    """An object as the member was seen to have it; `status` None where that is not known now."""

    uid: str
    status: dict[str, Any] | None
    is_reflected: bool = False
    """The status is as it was reported, without what changes all the time."""

    def shows(self, status: dict[str, Any]) -> bool:
        return self.status == (reflect_any({"status": status}) if self.is_reflected else status)


Find = Callable[[ObjectKey], Shown | None]
"""Answers None for an object that the member does not have, or that is not ours to speak for."""


@dataclass(slots=True)
class _Pending:
    note: StatusNote
    is_old: bool
    """It was noted before this worker began: another may have written it."""
    pause: float = _AGAIN_FIRST


class StatusNotes:
    """Of one member; `run` until cancelled."""

    def __init__(
        self,
        cluster: str,
        api: MemberApi,
        bus: Bus,
        find: Find,
        *,
        patience: float = _PATIENCE,
    ) -> None:
        """*patience*: the pause from which on the member is asked for what *find* does not know."""
        self._patience = patience
        self._cluster = cluster
        self._api = api
        self._bus = bus
        self._find = find
        self._pending: dict[ObjectKey, _Pending] = {}
        self._caught_up = False
        self._controller = Controller[ObjectKey](f"notes-{cluster}", self, _SETTINGS)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(), name=f"follow-notes-{self._cluster}")
            group.create_task(self._controller.run(), name=f"write-notes-{self._cluster}")

    def look(self, key: ObjectKey) -> None:
        """The object may be there now, or another one."""
        if key in self._pending:
            self._controller.wake(key)

    async def reconcile(self, key: ObjectKey) -> Result:
        pending = self._pending.get(key)
        if pending is None or await self._is_done(key, pending):
            if pending is not None and self._pending.get(key) is pending:
                del self._pending[key]
            return Done()
        pause = timedelta(seconds=pending.pause)
        pending.pause = min(2 * pending.pause, _AGAIN_MAX)
        return Again(pause)

    async def _follow(self) -> None:
        mine = f"{subjects.EXPORTS}.{subjects.encode_token(self._cluster)}.>"
        async with self._bus.follow(ENDPOINTS, [mine]) as messages:
            async for message in messages:
                if isinstance(message, Message):
                    self._take(message)
                elif isinstance(message, CaughtUp):
                    # What is pending and was taken back meanwhile is no harm: it finds nothing.
                    self._caught_up = True

    def _take(self, message: Message) -> None:
        try:
            _, key = subjects.parse_member_subject(message.subject)
            if not message.body:
                self._pending.pop(key, None)
                return
            self._pending[key] = _Pending(decode_note(message.body), not self._caught_up)
        except (ValueError, MalformedEvent) as err:
            log.warning("note.unreadable", subject=message.subject, error=str(err))
            return
        self._controller.wake(key)

    async def _is_done(self, key: ObjectKey, pending: _Pending) -> bool:
        """Whether there is nothing left to do; raises as `MemberApi` where it does not answer."""
        note, found = pending.note, self._find(key)
        gvk = GroupVersionKind.parse(note.api_version, note.kind)
        kind = ResourceType(gvk, note.resource, bool(key.namespace))
        patch = {"status": note.status}
        try:
            if found is None and not note.uid and pending.pause >= self._patience:
                found = await self._ask(kind, key)
            if found is None or (note.uid and found.uid != note.uid):
                return False
            if pending.is_old and found.shows(note.status):
                return True
            return await self._api.merge(kind, key.namespace, key.name, patch, subresource="status")
        except MemberRefused as err:
            log.info("note.refused", cluster=self._cluster, key=str(key), reason=err.reason)
            return False

    async def _ask(self, kind: ResourceType, key: ObjectKey) -> Shown | None:
        found = await self._api.get(kind, key.namespace, key.name)
        annotations = metadata_of(found).get("annotations") or {} if found is not None else {}
        if found is None or not str(annotations.get(TEMPLATE_UID, "")).startswith(BY_TRAFFIC):
            # An import that somebody else made, and may take away.
            return None
        return Shown(uid_of(found), found.get("status"))
