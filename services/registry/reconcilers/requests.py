"""The NATS micro service `hanse`: get, list, apply and delete by request and reply, JSON both ways.

An error is answered with its HTTP code, its message, and the `Status` object that Kubernetes would
have answered as the body.
"""

from contextlib import AbstractAsyncContextManager

from services.registry.reconcilers.dead_letters import DeadLetterDesk
from services.registry.reconcilers.door import Door
from services.registry.reconcilers.score_list import ScoreListing
from shared.apimachinery.manifest import GroupVersionKind, Manifest, encode
from shared.apiserver.answers.requests import answering, read_request
from shared.apiserver.requests.list_options import ListOptions
from shared.apiserver.requests.target import PROPAGATION_POLICIES, DeleteOptions, WriteOptions
from shared.apiserver.status_errors import ApiFault, bad_request
from shared.bus.port import Bus, Handler
from shared.bus.topology import MEBIBYTE, MESSAGE_BYTES_MAX
from shared.events.requests import (
    API_APPLY,
    API_DELETE,
    API_GET,
    API_LIST,
    SERVICE,
    VERSION,
    ApplyRequest,
    DeleteRequest,
    GetRequest,
    ListRequest,
)
from shared.store.port import Stored

_ANSWER_BYTES_MAX = MESSAGE_BYTES_MAX - MEBIBYTE


class RequestDoor:
    """Answers requests by the same verbs as the gateway."""

    def __init__(self, bus: Bus, door: Door) -> None:
        self._bus = bus
        self._door = door
        self._desk = DeadLetterDesk(bus)
        self._scores = ScoreListing(bus)

    def serving(self) -> AbstractAsyncContextManager[None]:
        """Offer the service for as long as this is entered."""
        endpoints: dict[str, Handler] = {
            API_GET: answering(self._get),
            API_LIST: answering(self._list),
            API_APPLY: answering(self._apply),
            API_DELETE: answering(self._delete),
            **self._desk.endpoints(),
            **self._scores.endpoints(),
        }
        return self._bus.serve(SERVICE, VERSION, endpoints)

    async def _get(self, body: bytes) -> bytes:
        asked = read_request(body, GetRequest)
        stored = await self._door.get(asked)
        return encode(_shown(stored, asked.gvk))

    async def _list(self, body: bytes) -> bytes:
        asked = read_request(body, ListRequest)
        gvk = GroupVersionKind.parse(asked.api_version, asked.kind)
        options = ListOptions(
            label_selector=asked.label_selector,
            field_selector=asked.field_selector,
            limit=asked.limit,
            continue_token=asked.continue_token,
        )
        page = await self._door.list(gvk, asked.namespace, options)
        answer: Manifest = {
            "kind": f"{gvk.kind}List",
            "apiVersion": gvk.api_version,
            "metadata": {"resourceVersion": str(page.revision)},
            "items": [_shown(stored, gvk) for stored in page.items],
        }
        if page.continue_token:
            answer["metadata"]["continue"] = page.continue_token
        encoded = encode(answer)
        if len(encoded) > _ANSWER_BYTES_MAX:
            raise ApiFault(413, "the list is too large for one message: ask with a smaller limit")
        return encoded

    async def _apply(self, body: bytes) -> bytes:
        asked = read_request(body, ApplyRequest)
        options = WriteOptions(
            dry_run=asked.dry_run,
            field_manager=asked.field_manager[:128],
            field_validation="Strict",
            force=asked.force,
        )
        outcome = await self._door.apply(asked.manifest, options)
        return encode(_shown(outcome.stored, GroupVersionKind.of(asked.manifest)))

    async def _delete(self, body: bytes) -> bytes:
        asked = read_request(body, DeleteRequest)
        if asked.propagation_policy not in ("", *PROPAGATION_POLICIES):
            raise bad_request("propagationPolicy: Unsupported value")
        options = DeleteOptions(
            dry_run=asked.dry_run, propagation=asked.propagation_policy, uid=asked.uid
        )
        deletion = await self._door.delete(asked, options)
        return encode(_shown(deletion.stored, asked.gvk))


def _shown(stored: Stored, gvk: GroupVersionKind) -> Manifest:
    """Show the object in the version that was asked for."""
    return {**stored.manifest, "apiVersion": gvk.api_version}
