"""`MemberApi` without HTTP: the verbs of a member's API server, called over a line.

What goes wrong is told in the same errors as by `shared/memberapi/http.py`.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec

from shared.apimachinery.manifest import Manifest, ObjectKey, decode
from shared.apiserver.requests.list_options import ListOptions
from shared.apiserver.requests.negotiation import APPLY_PATCH, MERGE_PATCH
from shared.apiserver.requests.target import DeleteOptions, WriteOptions
from shared.apiserver.selection import read_selection, seen_change
from shared.apiserver.serving import Call
from shared.apiserver.status_errors import ApiFault, from_error, unknown_path
from shared.apiserver.verbs.create import create
from shared.apiserver.verbs.delete import delete
from shared.apiserver.verbs.listing import get_object, list_objects, scope_of
from shared.apiserver.verbs.patch import patch
from shared.errors import (
    HanseError,
    MemberRefused,
    MemberThrottled,
    MemberUnreachable,
    RevisionExpired,
)
from shared.memberapi.faults import error_of, read_status
from shared.memberapi.port import MemberEvent, MemberListing, ResourceType
from shared.memberapi.request import FIELD_MANAGER
from shared.store.port import Change, Revision
from tests.simulation.member import Ledger, Member
from tests.simulation.wire import Effect, Line, Unanswered

WATCH_SECONDS = 240.0
_GENERATION = re.compile(rb'"hanse.dev/work-generation":"(\d+)"')


class DirectMemberApi:
    """Implements `MemberApi` for one process."""

    def __init__(self, member: Member, line: Line, ledger: Ledger) -> None:
        self._member = member
        self._line = line
        self._ledger = ledger
        # As of which order each object is, as far as this process was told.
        self._shown: dict[ObjectKey, int] = {}

    # Reading.

    async def discover(self) -> list[ResourceType]:
        async def work() -> list[ResourceType]:
            return [
                ResourceType(kind.gvk, kind.resource, kind.namespaced)
                for kind in self._member.registry.all()
                if "list" in kind.verbs
            ]

        found: list[ResourceType] = await self._call("discover", work)
        return found

    async def get(self, kind: ResourceType, namespace: str, name: str) -> Manifest | None:
        async def work() -> Manifest:
            stored = await get_object(self._member.serving, self._to(kind, namespace, name))
            return decode(stored.encoded)

        try:
            found: Manifest = await self._call(f"get {kind.resource} {namespace}/{name}", work)
        except MemberRefused as err:
            if err.status == 404:
                return None
            raise
        return found

    async def list(
        self, kind: ResourceType, *, label_selector: str = "", namespace: str = ""
    ) -> MemberListing:
        async def work() -> MemberListing:
            options = ListOptions(label_selector=label_selector)
            call = self._to(kind, namespace)
            page = await list_objects(self._member.serving, self._member.snapshots, call, options)
            items = tuple(decode(stored.encoded) for stored in page.items)
            return MemberListing(items, str(page.revision))

        found: MemberListing = await self._call(f"list {kind.resource}", work)
        return found

    async def read(self, path: str, *, deadline_seconds: float) -> bytes:
        async def work() -> bytes:
            return b'{"gitVersion":"v1.36.0+simulated"}' if path == "/version" else b"ok"

        try:
            async with asyncio.timeout(deadline_seconds):
                found: bytes = await self._call(f"read {path}", work)
        except TimeoutError as err:
            raise MemberUnreachable(f"{self._member.name} did not answer in time") from err
        return found

    # Writing.

    async def apply(
        self, kind: ResourceType, namespace: str, name: str, body: bytes, *, force: bool = True
    ) -> Manifest:
        return decode(await self.apply_encoded(kind, namespace, name, body, force=force))

    async def apply_encoded(
        self,
        kind: ResourceType,
        namespace: str,
        name: str,
        body: bytes,
        *,
        force: bool = True,
        manager: str = FIELD_MANAGER,
        dry_run: bool = False,
    ) -> bytes:
        if not dry_run:
            self._judge_sender(self._key(kind, namespace, name), body)
        sent = asyncio.get_running_loop().time()

        async def work() -> bytes:
            member = self._member
            call = self._to(
                kind,
                namespace,
                name,
                WriteOptions(field_manager=manager, force=force, dry_run=dry_run),
            )
            before = member.store.mirror.get(call.key)
            outcome = await patch(member.serving, call, decode(body), APPLY_PATCH)
            if manager == FIELD_MANAGER and not dry_run:
                self._ledger.applied(member.name, call.key, before, outcome.stored, sent)
            return outcome.stored.encoded

        found: bytes = await self._call(
            f"apply {kind.resource} {namespace}/{name}", work, self._key(kind, namespace, name)
        )
        if not dry_run:
            self._show(self._key(kind, namespace, name), found)
        return found

    def _judge_sender(self, key: ObjectKey, body: bytes) -> None:
        sent, shown = _generation(body), self._shown.setdefault(key, 0)
        if 0 < sent < shown:
            self._ledger.stale(self._member.name, key, sent, shown)

    def _show(self, key: ObjectKey, body: bytes) -> None:
        """This process knows now as of which order an object is that it had in hand before."""
        if key in self._shown:
            self._shown[key] = _generation(body)

    async def delete(
        self, kind: ResourceType, namespace: str, name: str, *, uid: str, propagation: str
    ) -> bool:
        async def work() -> None:
            member = self._member
            call = self._to(kind, namespace, name)
            before = member.store.mirror.get(call.key)
            await delete(member.serving, call, DeleteOptions(propagation=propagation, uid=uid))
            self._ledger.deleted(member.name, call.key, before)

        try:
            await self._call(
                f"delete {kind.resource} {namespace}/{name}",
                work,
                self._key(kind, namespace, name),
            )
        except MemberRefused as err:
            if err.status in (404, 409):
                return False
            raise
        return True

    async def merge(
        self,
        kind: ResourceType,
        namespace: str,
        name: str,
        patched: Manifest,
        *,
        manager: str = FIELD_MANAGER,
        subresource: str = "",
    ) -> bool:
        async def work() -> None:
            options = WriteOptions(field_manager=manager)
            call = replace(self._to(kind, namespace, name, options), subresource=subresource)
            await patch(self._member.serving, call, patched, MERGE_PATCH)

        try:
            await self._call(f"merge {kind.resource} {namespace}/{name}", work)
        except MemberRefused as err:
            if err.status == 404:
                return False
            raise
        return True

    async def create(self, kind: ResourceType, namespace: str, manifest: Manifest) -> Manifest:
        async def work() -> Manifest:
            options = WriteOptions(field_manager=FIELD_MANAGER)
            call = self._to(kind, namespace, options=options)
            return (await create(self._member.serving, call, manifest)).stored.manifest

        found: Manifest = await self._call(f"create {kind.resource}", work)
        return found

    async def put(self, path: str, body: bytes) -> bytes:
        raise MemberRefused(f"{path} takes no {len(body)} bytes", reason="NotFound", status=404)

    # Watching.

    @asynccontextmanager
    async def watch(
        self,
        kind: ResourceType,
        *,
        resource_version: str,
        label_selector: str = "",
        namespace: str = "",
    ) -> AsyncIterator[AsyncIterator[MemberEvent]]:
        stream = _Stream(self._member, self._line, self._show)

        async def work() -> None:
            call = self._to(kind, namespace)
            await stream.open(call, int(resource_version), label_selector)

        await self._call(f"watch {kind.resource}", work)
        try:
            yield stream.events()
        finally:
            stream.close()

    # The call.

    def _to(
        self,
        kind: ResourceType,
        namespace: str,
        name: str = "",
        options: WriteOptions | None = None,
    ) -> Call:
        gvk = kind.gvk
        found = self._member.registry.by_resource(gvk.group, gvk.version, kind.resource)
        if found is None:
            raise unknown_path()
        return Call(found, namespace, name, options=options or WriteOptions())

    def _key(self, kind: ResourceType, namespace: str, name: str) -> ObjectKey:
        return ObjectKey(kind.gvk.group, kind.resource, namespace, name)

    async def _call(self, what: str, work: Effect, key: ObjectKey | None = None) -> Any:
        member = self._member

        async def effect() -> Any:
            _answer_by_mode(member)
            try:
                return await work()
            except (ApiFault, HanseError) as err:
                status = from_error(err).status()
                if key is not None:
                    self._ledger.refused(member.name, key, str(status["message"]))
                body = msgspec.json.encode(status)
                raise error_of(read_status(body), 500, None, member.name) from None

        if member.mode == "refuses" and not self._line.life.dead:
            await asyncio.sleep(0.001)
            raise MemberUnreachable(f"{member.name} cannot be reached: connection refused")
        return await self._line.request(
            f"{what} in {member.name}",
            effect,
            unsent=MemberUnreachable,
            unknown=MemberUnreachable,
        )


def _generation(body: bytes) -> int:
    found = _GENERATION.search(body)
    return int(found[1]) if found is not None else 0


def _answer_by_mode(member: Member) -> None:
    match member.mode:
        case "hangs":
            raise Unanswered
        case "throttles":
            raise MemberThrottled("too many requests", retry_after=timedelta(seconds=1))
        case "fails":
            raise MemberRefused("etcd is away", reason="InternalError", status=500)
        case "refuses":
            raise MemberUnreachable("connection refused")


class _Stream:
    """One watch: the member's side follows its store, the other side reads what arrives."""

    def __init__(
        self, member: Member, line: Line, show: Callable[[ObjectKey, bytes], None]
    ) -> None:
        self._member = member
        self._line = line
        self._show = show
        self._queue: asyncio.Queue[MemberEvent | Exception | None] = asyncio.Queue()
        self._stops: list[Any] = []
        self._closed = False

    async def open(self, call: Call, since: int, label_selector: str) -> None:
        """At the member."""
        selection = read_selection(call.kind, label_selector, "")
        scope = scope_of(call, selection)
        mirror = self._member.store.mirror

        def send(change: Change) -> None:
            if self._closed or not scope.covers(change.stored.key):
                return
            seen = seen_change(change, selection)
            if seen is not None:
                key, event = seen[1].key, MemberEvent(seen[0].value, seen[1].encoded)
                self._line.hear(lambda: self._receive(key, event))

        if since > mirror.revision:
            raise RevisionExpired(f"revision {since} does not exist yet; list again")
        # Raises RevisionExpired where the history is gone.
        async with self._member.store.watch(scope, since=Revision(since)) as missed:
            for change in tuple(missed._queue):  # type: ignore[attr-defined]
                send(change)
        life, loop = self._line.life, asyncio.get_running_loop()
        self._stops.append(mirror.on_change(send))
        self._stops.append(self._member.on_restart(self._reset))
        self._stops.append(self._line.on_heal(self._perhaps_reset))
        self._stops.append(loop.call_later(WATCH_SECONDS, self._end).cancel)
        life.at_death(self.close)

    def _receive(self, key: ObjectKey, event: MemberEvent) -> None:
        self._show(key, event.body)
        self._queue.put_nowait(event)

    def _end(self) -> None:
        self._line.hear(lambda: self._queue.put_nowait(None))

    def _perhaps_reset(self) -> None:
        if self._line.chance.random() < 0.5:
            self._reset()

    def _reset(self) -> None:
        error = MemberUnreachable(f"{self._member.name} cannot be reached: it closed a watch")
        self._queue.put_nowait(error)

    async def events(self) -> AsyncIterator[MemberEvent]:
        while True:
            found = await self._queue.get()
            if found is None:
                return
            if isinstance(found, Exception):
                raise found
            yield found

    def close(self) -> None:
        self._closed = True
        stops, self._stops = self._stops, []
        for stop in stops:
            stop()
