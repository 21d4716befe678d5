"""The status that ServiceExports and ServiceImports of a member are to show, put there.

Nobody else writes it: traffic, which knows it, reaches members by their workers only. An object
that is not there, or not of the kind, is tried again ever more seldom.
"""

import asyncio
from dataclasses import dataclass

import structlog

from shared.apimachinery.manifest import GroupVersionKind, Manifest, ObjectKey, metadata_of, uid_of
from shared.bus.port import Bus, CaughtUp, Message
from shared.bus.topology import ENDPOINTS
from shared.errors import MalformedEvent, MemberRefused, RetryableError
from shared.events import subjects
from shared.events.exports import StatusNote, decode_note
from shared.events.orders import TEMPLATE_UID
from shared.events.work import BY_TRAFFIC
from shared.memberapi.port import MemberApi, ResourceType

log = structlog.get_logger("hanse.propagator")

AGAIN_FIRST = 0.2
AGAIN_MAX = 30.0
_AT_ONCE = 8


@dataclass(slots=True)
class _Pending:
    note: StatusNote
    due: float = 0.0
    pause: float = AGAIN_FIRST


class StatusNotes:
    """Of one member; `run` until cancelled."""

    def __init__(self, cluster: str, api: MemberApi, bus: Bus) -> None:
        self._cluster = cluster
        self._api = api
        self._bus = bus
        self._pending: dict[ObjectKey, _Pending] = {}
        self._news = asyncio.Event()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(), name=f"follow-notes-{self._cluster}")
            group.create_task(self._carry_out(), name=f"write-notes-{self._cluster}")

    async def _follow(self) -> None:
        mine = f"{subjects.EXPORTS}.{subjects.encode_token(self._cluster)}.>"
        async with self._bus.follow(ENDPOINTS, [mine]) as messages:
            async for message in messages:
                if isinstance(message, Message):
                    self._take(message)
                elif isinstance(message, CaughtUp) and message.shown is not None:
                    # What is pending and was taken back meanwhile is no harm: it finds nothing.
                    continue

    def _take(self, message: Message) -> None:
        try:
            _, key = subjects.parse_member_subject(message.subject)
            if not message.body:
                self._pending.pop(key, None)
                return
            self._pending[key] = _Pending(decode_note(message.body))
        except (ValueError, MalformedEvent) as err:
            log.warning("note.unreadable", subject=message.subject, error=str(err))
            return
        self._news.set()

    async def _carry_out(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            soonest = min((one.due for one in self._pending.values()), default=None)
            now = loop.time()
            if soonest is None or soonest > now:
                try:
                    async with asyncio.timeout(None if soonest is None else soonest - now):
                        await self._news.wait()
                except TimeoutError:
                    pass
                self._news.clear()
                continue
            due = [key for key, one in self._pending.items() if one.due <= now][:_AT_ONCE]
            await asyncio.gather(*(self._write(key, self._pending[key]) for key in due))

    async def _write(self, key: ObjectKey, pending: _Pending) -> None:
        try:
            done = await self._patch(key, pending.note)
        except RetryableError:
            done = False
        except MemberRefused as err:
            log.info("note.refused", cluster=self._cluster, key=str(key), reason=err.reason)
            done = False
        if self._pending.get(key) is not pending:
            return
        if done:
            del self._pending[key]
            return
        pending.due = asyncio.get_running_loop().time() + pending.pause
        pending.pause = min(2 * pending.pause, AGAIN_MAX)

    async def _patch(self, key: ObjectKey, note: StatusNote) -> bool:
        """Whether there is nothing left to do."""
        gvk = GroupVersionKind.parse(note.api_version, note.kind)
        kind = ResourceType(gvk, note.resource, bool(key.namespace))
        found = await self._api.get(kind, key.namespace, key.name)
        if note.uid and (found is None or uid_of(found) != note.uid):
            # Another one by now, of which there will be other news.
            return True
        if found is None or (not note.uid and not _is_ours(found)):
            # Not there yet, or an import that somebody else made, and may take away.
            return False
        patch = {"status": note.status}
        return await self._api.merge(kind, key.namespace, key.name, patch, subresource="status")


def _is_ours(found: Manifest) -> bool:
    annotations = metadata_of(found).get("annotations") or {}
    return str(annotations.get(TEMPLATE_UID, "")).startswith(BY_TRAFFIC)
